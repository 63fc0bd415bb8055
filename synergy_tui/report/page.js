"use strict";
(() => {
  const data = JSON.parse(document.getElementById("numbers").textContent);
  const dark = window.matchMedia("screen and (prefers-color-scheme: dark)");
  const byId = (id) => document.getElementById(id);

  const make = (tag, text, attributes) => {
    const one = document.createElement(tag);
    if (text !== undefined && text !== null) one.textContent = text;
    for (const name in attributes || {}) one.setAttribute(name, attributes[name]);
    return one;
  };

  const number = (value, signed) => {
    if (value === null || value === undefined) return "n/a";
    const size = Math.abs(value);
    const text = size && (size < 0.001 || size >= 10000) ? value.toExponential(2) : String(Number(value.toPrecision(3)));
    return (signed && value >= 0 ? "+" : "") + text.replace("-", "−");
  };

  // Colours of a scale that diverges from a centre, or of one that only grows.
  const scale = (diverging) => data.colours[diverging ? "diverging" : "more"][dark.matches ? "dark" : "light"];
  const paint = (element, place, diverging) => {
    if (place === null) {
      element.style.removeProperty("background-color");
      element.style.removeProperty("color");
      return;
    }
    const { colours, ink } = scale(diverging);
    const step = Math.min(Math.max(Math.floor(place * colours.length), 0), colours.length - 1);
    element.style.backgroundColor = colours[step];
    element.style.color = ink[step] === "1" ? "#000000" : "#ffffff";
  };
  const legend = (holder, low, high, middle, diverging) => {
    const strip = make("span", null, { class: "strip", "aria-hidden": "true" });
    for (let part = 0; part < 24; part++) {
      const one = make("i");
      paint(one, (part + 0.5) / 24, diverging);
      strip.append(one);
    }
    holder.replaceChildren(make("span", low), strip, make("span", high), make("span", middle));
  };

  // The map: a grid with one cell that takes the focus.
  const map = data.map;
  const cells = new Map();
  const score = byId("score");
  const told = byId("unit");
  let here = map.present.length ? map.present[0] : null;

  const grid = () => {
    const table = make("table", null, { role: "grid", "aria-label": "Units by layer", "aria-readonly": "true" });
    const head = make("tr", null, { role: "row" });
    const corner = make("th", map.groups ? "" : "layer", { scope: "col", role: "columnheader" });
    const longest = Math.max(...map.layers.map((one) => one.length), 4);
    corner.style.width = Math.min(longest * 0.5 + 1, 9) + "rem";
    head.append(corner);
    const every = map.perLayer > 16 ? 4 : 1;
    for (let unit = 0; unit < map.perLayer; unit++) {
      head.append(make("th", unit % every ? "" : unit, { scope: "col", role: "columnheader", "aria-label": "unit " + unit }));
    }
    const top = make("thead", null, { role: "rowgroup" });
    top.append(head);
    const body = make("tbody", null, { role: "rowgroup" });
    const present = new Set(map.present);
    map.layers.forEach((name, layer) => {
      const row = make("tr", null, { role: "row" });
      row.append(make("th", name, { scope: "row", role: "rowheader", title: name }));
      for (let unit = 0; unit < map.perLayer; unit++) {
        const place = layer * map.perLayer + unit;
        const cell = make("td", null, { role: "gridcell" });
        if (present.has(place)) {
          cell.tabIndex = place === here ? 0 : -1;
          cell.dataset.unit = place;
          cells.set(place, cell);
        } else {
          cell.className = "hole";
          cell.setAttribute("aria-label", "no unit here");
        }
        row.append(cell);
      }
      body.append(row);
    });
    table.append(top, body);
    table.style.setProperty("--tall", Math.min(Math.max(15 / map.layers.length, 1.15), 2.2) + "rem");
    table.style.minWidth = map.perLayer * 0.62 + 4 + "rem";
    byId("map").replaceChildren(table);
  };

  const called = (unit) => map.names[unit] || map.layers[Math.floor(unit / map.perLayer)] + "." + (unit % map.perLayer);

  const valueOf = (one, unit) => {
    const at = map.place[unit];
    const unitOf = one.unit ? " " + one.unit : "";
    if (one.value[at] === null) return "no value";
    let text = number(one.value[at]) + unitOf;
    if (one.shown) text += ", scaled " + number(one.shown[at]);
    if (one.low && one.low[at] !== null) text += " [" + number(one.low[at]) + ", " + number(one.high[at]) + "]";
    return text;
  };

  // The place on the colours: for a ranking the value shown, for others the value between the ends.
  const placeOf = (one, unit) => {
    const value = (one.shown || one.value)[map.place[unit]];
    if (value === null || one.shown) return value;
    const [low, high] = one.ends;
    return high > low ? (value - low) / (high - low) : 0.5;
  };

  const tell = (unit) => {
    if (unit === null) return;
    const one = map.scores[score.value];
    const values = one.value.filter((value) => value !== null);
    const mine = one.value[map.place[unit]];
    const lines = [make("strong", called(unit)), ": " + score.value + " " + valueOf(one, unit)];
    if (mine !== null && !map.tests.includes(score.value)) {
      lines.push(", " + (values.filter((value) => value > mine).length + 1) + " of " + values.length + " from the top");
    }
    const beside = ["sts", "rtr", "excess", "q", "autocorrelation"].filter((name) => name !== score.value && map.scores[name]);
    lines.push(make("br"), beside.map((name) => name + " " + number(map.scores[name].value[map.place[unit]])).join(" · "));
    told.replaceChildren(...lines);
  };

  const colourMap = () => {
    const one = map.scores[score.value];
    for (const [unit, cell] of cells) {
      const place = placeOf(one, unit);
      paint(cell, place, one.diverging);
      cell.classList.toggle("unknown", place === null);
      cell.setAttribute("aria-label", called(unit) + ": " + valueOf(one, unit));
    }
    const ranking = one.kind === "ranking";
    legend(byId("legend"), ranking ? "redundant" : number(one.ends[0]), ranking ? "synergistic" : number(one.ends[1]) +
      (one.unit ? " " + one.unit : ""), "", one.diverging);
    byId("meaning").textContent = score.value + (one.meaning ? ": " + one.meaning : "");
    tell(here);
  };

  const goTo = (unit) => {
    if (here !== null) cells.get(here).tabIndex = -1;
    here = unit;
    cells.get(unit).tabIndex = 0;
    cells.get(unit).focus({ preventScroll: false });
    tell(unit);
  };

  const along = (rows, columns) => {
    // The next unit in a direction; places without a unit are skipped.
    let layer = Math.floor(here / map.perLayer), unit = here % map.perLayer;
    for (;;) {
      layer += rows;
      unit += columns;
      if (layer < 0 || layer >= map.layers.length || unit < 0 || unit >= map.perLayer) return;
      if (cells.has(layer * map.perLayer + unit)) return goTo(layer * map.perLayer + unit);
    }
  };

  const inLayer = (last) => {
    const layer = Math.floor(here / map.perLayer);
    const some = map.present.filter((unit) => Math.floor(unit / map.perLayer) === layer);
    goTo(last ? some[some.length - 1] : some[0]);
  };

  if (score) {
    grid();
    const keys = {
      ArrowUp: () => along(-1, 0), ArrowDown: () => along(1, 0), ArrowLeft: () => along(0, -1), ArrowRight: () => along(0, 1),
      Home: () => inLayer(false), End: () => inLayer(true),
      PageUp: () => goTo(map.present[0]), PageDown: () => goTo(map.present[map.present.length - 1]),
    };
    byId("map").addEventListener("keydown", (event) => {
      if (!keys[event.key] || event.ctrlKey || event.altKey || event.metaKey) return;
      event.preventDefault();
      keys[event.key]();
    });
    byId("map").addEventListener("pointerover", (event) => {
      if (event.target.dataset.unit !== undefined) tell(Number(event.target.dataset.unit));
    });
    byId("map").addEventListener("pointerleave", () => tell(here));
    byId("map").addEventListener("click", (event) => {
      if (event.target.dataset.unit !== undefined) goTo(Number(event.target.dataset.unit));
    });
    score.addEventListener("change", colourMap);
    colourMap();
  }

  // The tokens of one response, coloured by one unit's local synergy or redundancy.
  const tokens = data.tokens;
  const words = byId("words");
  let step = 0, spans = [];

  const chosen = () => {
    const one = tokens.responses[Number(byId("prompt").value)];
    return { one, values: one[byId("atom").value][byId("of").value] };
  };

  const tellToken = (at) => {
    const { one, values } = chosen();
    const piece = one.words ? " " + JSON.stringify(one.pieces[at]) : "";
    byId("token").textContent = "step " + at + piece + ": " + byId("atom").value + " " +
      (values[at] === null ? "no value" : number(values[at], true) + " nats") +
      ", mean of this response " + number(mean(values), true);
  };

  const mean = (values) => {
    const known = values.filter((value) => value !== null);
    return known.length ? known.reduce((sum, value) => sum + value, 0) / known.length : null;
  };

  const stand = (at) => {
    if (spans[step]) spans[step].classList.remove("here");
    step = Math.min(Math.max(at, 0), spans.length - 1);
    spans[step].classList.add("here");
    tellToken(step);
  };

  const show = (anew) => {
    const { one, values } = chosen();
    const known = values.filter((value) => value !== null).map(Math.abs);
    const reach = Math.max(...known, 0) || 1;
    if (anew) {
      byId("asked").textContent = one.asked || "The prompt is not known.";
      spans = one.pieces.map((piece, at) => make("span", piece.replace(/\n/g, "↵\n"),
        { "data-step": at, ...(one.words ? {} : { class: "number" }) }));
      // Lines may break between tokens if the text itself has no spaces.
      const spaced = one.words && one.pieces.some((piece) => /\s/.test(piece));
      words.replaceChildren(...spans.flatMap((span) => (spaced ? [span] : [span, make("wbr")])), ...(one.cut ? [" … " + one.cut + " more"] : []));
      step = Math.max(values.findIndex((value) => value !== null), 0);
    }
    spans.forEach((span, at) => paint(span, values[at] === null ? null : 0.5 + values[at] / (2 * reach), true));
    byId("why").textContent = one.why[byId("of").value] || "";
    legend(byId("tokenlegend"), number(-reach, true), number(reach, true) + " nats", "without a colour: no value", true);
    stand(step);
  };

  if (words) {
    for (const id of ["of", "atom"]) byId(id).addEventListener("change", () => show(false));
    byId("prompt").addEventListener("change", () => show(true));
    words.addEventListener("keydown", (event) => {
      const moves = { ArrowLeft: step - 1, ArrowRight: step + 1, Home: 0, End: spans.length - 1 };
      if (!(event.key in moves) || event.ctrlKey || event.altKey || event.metaKey) return;
      event.preventDefault();
      stand(moves[event.key]);
    });
    words.addEventListener("pointerover", (event) => {
      if (event.target.dataset.step !== undefined) tellToken(Number(event.target.dataset.step));
    });
    words.addEventListener("pointerleave", () => tellToken(step));
    words.addEventListener("click", (event) => {
      if (event.target.dataset.step !== undefined) stand(Number(event.target.dataset.step));
    });
    show(true);
  }

  dark.addEventListener("change", () => {
    if (score) colourMap();
    if (words) show(false);
  });
})();
