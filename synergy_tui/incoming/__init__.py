"""Series measured elsewhere → results of the cache that have everything except a model. Nothing is unpickled.

files.py    files and the user's choices about them → a capture: `import_file`
series.py   series in memory → a capture: `import_series`
taking.py   a source of responses, one after another → the rows and the bulk file of a capture
watch.py    responses, one after another → what looks suspicious: repeats, zeros, units that never change
source.py   the protocol of a source of responses; arrays → a source
arrays.py   .npy, .npz, .safetensors and tables of numbers → named arrays
matlab.py   .mat → named arrays
long.py     tables with a row per prompt, unit and step → an array
steps.py    tables with a row per question and head → a source that is never in memory as a whole
blocks.py   a file of text → blocks of whole lines, and tables
mapping.py  a table of units → the names of layers, groups and units
flat.py     a published table of pairs or ranks → columns by their meaning
pairwise.py a table of pairs with synergy and redundancy → a capture without series and a decomposition of two atoms
ranks.py    a table of ranks → its comparison with a run
"""
