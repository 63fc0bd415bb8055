"""The cache: a catalogue in DuckDB, bulk results in Parquet, and views that make one database of both. Speaks Arrow.

tables.py   tables, columns and their comments
schema.py   the schema's version, views and migrations
cache.py    opening: who may read or write when, and what a locked or foreign cache says
bulk.py     pair and series files: written under a temporary name, renamed when whole
publish.py  finished results → rows and files, visible at once or not at all
runs.py     runs held against each other, as rows
cards.py    claims cards, networks and controls, as rows
atlas.py    the newest cards of all subjects, own and imported, as one value
atlas_files.py  cards as a file, and back; atlas_pairs.py: runs made to be held against each other
run.py      a decomposition as one value: the map, the command line and the card are drawn from it
walk.py     pairs, series and responses of a run, as somebody looks at them
load.py     rows and files → arrays and plain dicts
query.py    SQL from users: read-only, inside the cache, bounded in time and rows
"""
