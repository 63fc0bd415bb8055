"""What was measured elsewhere → results of the cache that have everything but a model. Nothing is unpickled.

files.py    files and what was chosen about them → a capture: `import_file`
series.py   series in memory → a capture: `import_series`
taking.py   a source of responses, one after another → the rows and the bulk file of a capture
watch.py    responses, one after another → what is suspicious about them: repeats, zeros, units that never change
source.py   what a source of responses is; arrays → one
arrays.py   .npy, .npz, .safetensors and tables of numbers → named arrays
matlab.py   .mat → named arrays
long.py     tables with a row per prompt, unit and step → an array
steps.py    tables with a row per question and head → a source that is never in memory as a whole
blocks.py   a file of text → blocks of whole lines, and tables
mapping.py  a table of units → what layers, groups and units are called
flat.py     a published table of pairs or ranks → columns by what they are
pairwise.py a table of pairs with synergy and redundancy → a capture without series and a decomposition of two atoms
ranks.py    a table of ranks → its comparison with a run
"""
