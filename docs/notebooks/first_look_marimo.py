"""A first look at the sample in marimo: `marimo edit docs/notebooks/first_look_marimo.py`."""

import marimo

app = marimo.App()


@app.cell
def _():
    import marimo as mo

    import synergy_tui as st

    cache = st.sample()
    run = cache.run("latest")
    return cache, mo, run


@app.cell
def _(mo, run):
    score = mo.ui.dropdown(run.scores, value="rank-difference", label="score")
    score
    return (score,)


@app.cell
def _(run, score):
    run.show(score.value)
    return


@app.cell
def _(mo, run):
    mo.md("What speaks against it, the worst first: " + "; ".join(doubt.text for doubt in run.doubts()))
    return


@app.cell
def _(cache):
    cache.sql("SELECT layer, unit, rank, sts, rtr FROM latest_heads ORDER BY rank DESC LIMIT 8")
    return


@app.cell
def _(run):
    heads = run.units().pandas()
    heads[["sts", "rtr", "autocorrelation", "norm"]].corr(method="spearman").round(2)
    return


if __name__ == "__main__":
    app.run()
