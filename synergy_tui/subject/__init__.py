"""The language model under study.

sources.py    what a name or path means, and what can be known of it without loading it. Light: no torch
gguf.py       the header of a GGUF file. Light
builtin.py    subjects that need no preparation: fetched, checked and converted once
loading.py    source → model, tokenizer, geometry, checked by a dry forward pass
taps.py       where a unit's activity is read, and where it is intervened on
families/     one small file per shape of model: where its attention layers end
"""
