"""What a result looks like, by kind: how it is found in a response, and when it is the answer. `stated.py` says in
which words a response states one."""
