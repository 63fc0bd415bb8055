"""What views are made of.

lines.py   lines of text that repaint only where they change
map.py     the layer × unit map with the layer profile on its rows
matrix.py  the unit × unit matrix of pairs
plot.py    all plots behind one widget
table.py   a table of any length that draws the rows in sight
ink.py     the colours, shades and signs in force
"""
