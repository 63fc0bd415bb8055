"""A run → one page to send to somebody: an HTML file that needs no network, or Markdown with its figures beside it.
Reads the cache, starts nothing, loads no model and no JAX.

content.py   the cache → all that a report says, as one value
method.py    a run's settings → the paragraph that a paper needs, with its sources
tables.py    the tables behind a report, and their CSV
tokens.py    local synergy and redundancy of some units in some responses
pictures.py  the figures, or how to get them
page.py      all of it → HTML; page.css has its looks, page.js what moves in it
markdown.py  all of it → Markdown
writing.py   files on disk
"""
