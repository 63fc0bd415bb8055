"""Arrays → text for a terminal. The room knows no database and no screen: commands print the text, an app can place it.

scale.py     values → colours and shades, the only place that knows them
atlas.py     layer × unit map with the layer profile beside it, and the reading under it
plots.py     lines over an axis: the frame, its labels and the legend
lines.py     what a line is, and how the terminal shows it
canvas.py    the inside of the axes: bands, lines, bars, points, the cursor
raster.py    values → pixels
pooling.py   a matrix of pairs → fewer cells
ticks.py     round numbers and whole labels on an axis
curves.py    ablation curves
predicting.py whether synergy predicts removal better than other scores
arcs.py      strongest pairs as arcs between layers
card.py      a claims card: text, Markdown, JSON
compare.py   runs side by side
models.py    cards of many models: tables, profiles, pairs; forest.py: one claim over all models
naming.py    runs → names that distinguish them
progress.py  a job's stages as they pass
tables.py    rows → aligned columns, CSV, JSON
"""
