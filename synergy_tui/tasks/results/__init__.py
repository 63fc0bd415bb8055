"""What a result looks like, by kind: how to find it in a response, and when it is the answer. `stated.py` has the words
in which a response states one."""
