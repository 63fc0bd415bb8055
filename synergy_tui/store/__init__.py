"""The cache: a catalogue in DuckDB, bulk results in Parquet, and views that make one database of both. It speaks Arrow.

tables.py   tables, columns and their comments
schema.py   the schema's version, views and migrations
cache.py    opening: who may read or write and when; errors of a locked or foreign cache
bulk.py     pair and series files: written under a temporary name, renamed when whole
publish.py  finished results → rows and files, visible at once or not at all
runs.py     compared runs, as rows
cards.py    claims cards, networks and controls, as rows
atlas.py    the newest cards of all subjects, own and imported, as one value
atlas_files.py  cards as a file, and back; atlas_pairs.py: runs made to be compared
run.py      a decomposition as one value: the map, the command line and the card draw from it
walk.py     pairs, series and responses of a run, read when needed
load.py     rows and files → arrays and plain dicts
query.py    SQL from users: read-only, inside the cache, bounded in time and rows
"""
