"""The parts of views.

lines.py     lines of text that repaint only where they change
map.py       the layer × unit map with the layer profile on its rows
matrix.py    the unit × unit matrix of pairs
plot.py      all plots behind one widget
tokentext.py tokens as running text
twomaps.py   two maps side by side
form.py      the fields of a request; inputs.py: a line of a form
editor.py    SQL
keybar.py    the keys in the last line
table.py     a table of any length that draws only visible rows
ink.py       the current colours, shades and signs
"""
