"""atoms → unit scores, rankings, profiles, intervals and confounds. NumPy and SciPy; knows arrays only.

scores.py     pair and unit atoms → unit scores and rankings
profile.py    a ranking → layer profile, contrast and curvature
bootstrap.py  the two-way bootstrap behind every interval
confounds.py  what speaks against reading the map as a finding
areas.py      divergence curves → areas, their test against controls, the verdict
networks.py   pair values → graphs, their measures, differences against surrogates
claims.py     what was measured → the verdict on each claim; how often it errs: CLAIMS.md
comparison.py runs side by side: differences with intervals, agreement of units; NumPy alone
"""
