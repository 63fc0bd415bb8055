"""atoms → unit scores, rankings, profiles, intervals and confounds. NumPy and SciPy; knows arrays only.

scores.py     pair and unit atoms → unit scores and rankings
numit.py      atoms as quantiles among random systems of the same total information
oinfo.py      series → O-information of sets of units
profile.py    a ranking → layer profile, contrast and curvature
bootstrap.py  the two-way bootstrap behind every interval
student.py    quantiles of Student's t without SciPy
frequencies.py intervals of shares, false discoveries: SciPy's
confounds.py  reasons not to read the map as a finding
order.py      unit atoms per prompt of every level of a ladder → order parameters, one value per prompt
transition.py level means of an order parameter → five models, the verdict, d*
ladder.py     order parameters and grades → curves, susceptibility, the trend of accuracy, the verdict in words
areas.py      divergence curves → areas, their test against controls, the verdict
interaction.py pairs removed together against each unit alone: correlates and controls
networks.py   pair values → graphs, their measures, differences against surrogates
geometry.py   states of a residual stream → intrinsic dimension and alignment of every layer
coincidence.py whether two profiles over layers agree more than equally smooth profiles do by chance
geometric_claims.py measured geometry → the verdicts on C8 and C9
thresholds.py the numbers that decide verdicts
family.py     several tests at once: Holm's correction, and which analysis is the primary one
claims.py     measurements → the verdict on each claim; its error rates: docs/errors-claims.md
definitions.py under how many definitions of synergy C1 holds
meta.py      cards of many models → random effects; NumPy only
moderators.py what the effects of many models correlate with; NumPy only
universality.py the effects of many models → the verdict on C7; NumPy only
pairing.py   two models on the same prompts → the difference of their contrasts; NumPy only
comparison.py runs side by side: differences with intervals, agreement of units; NumPy only
"""
