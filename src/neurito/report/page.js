"use strict";
(() => {
  const page = JSON.parse(document.getElementById("data").textContent);
  const $ = (id) => document.getElementById(id);
  const { trials, latents, signals } = page;
  const CYCLE = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00"];
  const DASHES = ["solid", "dash", "dot", "dashdot"];

  // numbers

  /** An array packed as codes of one or two bytes, the largest of which is missing. */
  function unpack(packed) {
    if (!packed) return null;
    const text = atob(packed.data), bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    const missing = packed.bytes === 1 ? 255 : 65535, out = new Float64Array(bytes.length / packed.bytes);
    for (let i = 0; i < out.length; i++) {
      const code = packed.bytes === 1 ? bytes[i] : bytes[2 * i] | (bytes[2 * i + 1] << 8);
      out[i] = code === missing ? NaN : packed.low + packed.step * code;
    }
    return { values: out, shape: packed.shape };
  }
  /** One channel of one trial, as long as the trial is. */
  function series(array, trial, channel) {
    const [, bins, channels] = array.shape, out = [];
    for (let t = 0; t < trials.bins[trial]; t++) out.push(array.values[(trial * bins + t) * channels + channel]);
    return out;
  }
  function row(array, trial) {
    const bins = array.shape[1], from = (array.shape[0] > 1 ? trial : 0) * bins;
    return Array.from(array.values.subarray(from, from + trials.bins[trial]));
  }
  const time = unpack(trials.time), width = unpack(trials.width);
  for (const signal of signals)
    for (const key of ["values", "mean", "low", "high", "true"]) signal[key] = unpack(signal[key]);
  for (const signal of signals)
    for (const one of Object.values(signal.psths)) for (const key of ["inferred", "target"]) one[key] = unpack(one[key]);
  if (latents) for (const key of ["mean", "sd"]) latents[key] = unpack(latents[key]);

  const finite = (x) => x.filter(Number.isFinite);
  const least = (x) => finite(x).reduce((a, b) => Math.min(a, b), Infinity);
  const most = (x) => finite(x).reduce((a, b) => Math.max(a, b), -Infinity);
  const short = (x) => (Number.isFinite(x) ? String(Number(x.toPrecision(3))) : "none").replace("-", "\u2212");
  /** A name as plain text for Plotly, which reads some HTML. */
  const plain = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

  // drawing

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  const faint = (hex, alpha) => hex + Math.round(255 * alpha).toString(16).padStart(2, "0");
  const narrow = () => window.innerWidth < 700;

  function axis(title, more = {}) {
    const line = colour("grid");
    return { title: { text: title, standoff: 8 }, gridcolor: line, zerolinecolor: line, linecolor: colour("line"),
      automargin: true, ...more };
  }
  function draw(id, traces, layout) {
    const text = colour("ink");
    const hover = { bgcolor: colour("panel"), bordercolor: colour("line"), font: { color: text } };
    return Plotly.react($(id), traces, {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", autosize: true, hoverlabel: hover,
      font: { color: text, size: narrow() ? 11 : 13, family: getComputedStyle(document.body).fontFamily },
      margin: { l: 55, r: 12, t: 34, b: 48 },
      modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("quiet"), activecolor: colour("ink") },
      legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", bgcolor: "rgba(0,0,0,0)" },
      ...layout,
    }, { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["sendChartToCloud", "lasso2d", "select2d"],
      displayModeBar: narrow() ? false : "hover" });
  }
  function absent(id, why) {
    $("plot-" + id).hidden = true;
    $("words-" + id).textContent = why;
  }
  function table(id, head, rows) {
    const home = $(id), made = document.createElement("table"), top = made.createTHead().insertRow();
    for (const name of head) {
      const cell = document.createElement("th");
      cell.scope = "col";
      cell.textContent = name;
      top.append(cell);
    }
    const body = made.createTBody();
    for (const one of rows) {
      const line = body.insertRow();
      for (const value of one) line.insertCell().textContent = short(value);
    }
    home.replaceChildren(made);
  }

  // what is shown

  const state = { trial: 0, signal: 0, channel: 0 };
  function options(select, names, chosen) {
    select.replaceChildren(...names.map(([value, text]) => new Option(text, value)));
    select.value = String(chosen);
  }
  const label = (trial) => trials.labels[trial] +
    Object.values(trials.groups).slice(0, 1).map((group) => ", " + group[trial]).join("");
  const called = (signal, i) => (signal.counts ? "neuron " : "channel ") + signal.channels[i];

  function pickers() {
    options($("trial"), trials.labels.map((_, i) => [i, label(i)]), 0);
    for (const [s, signal] of signals.entries()) {
      const group = document.createElement("optgroup");
      group.label = signal.name;
      for (const i of signal.channels.keys())
        group.append(new Option(called(signal, i) + (signal.held[i] ? " (held out)" : ""), s + "/" + i));
      $("channel").append(group);
    }
    $("trial").onchange = () => { state.trial = Number($("trial").value); drawTrial(); };
    $("channel").onchange = () => {
      [state.signal, state.channel] = $("channel").value.split("/").map(Number);
      drawChannel();
      drawAll();
      drawPsths();
    };
    options($("by"), Object.keys(signals[0].psths).map((by) => [by, by]), Object.keys(signals[0].psths)[0]);
    $("by").onchange = drawPsths;
    if (!latents) return;
    const n = latents.names.length, axes = [...latents.names.entries(), ["time", "time"]];
    options($("x"), axes, n > 1 ? 0 : "time");
    options($("y"), axes, n > 1 ? 1 : 0);
    options($("z"), [...axes, ["none", "none: flat"]], n > 2 && webgl() ? 2 : "none");
    options($("colour"), [["", "this trial"], ...Object.keys(trials.groups).map((g) => [g, g])], "");
    for (const id of ["x", "y", "z", "colour"]) $(id).onchange = drawSpace;
    $("turn").onclick = turn;
    const planes = page.potential ? page.potential.planes : [];
    options($("plane"), planes.map(({ axes }, i) => [i, axes.map((a) => a + 1).join(", ")]), 0);
    $("plane").onchange = drawPotential;
  }
  function webgl() {
    try { return Boolean(document.createElement("canvas").getContext("webgl")); } catch { return false; }
  }

  // activity

  function unreadShape(trial) {
    const from = trials.read[trial], times = row(time, trial), wide = row(width, trial);
    if (from === 0 || from >= trials.bins[trial]) return [];
    return [{ type: "rect", xref: "x", yref: "paper", y0: 0, y1: 1, x0: times[from] - wide[from] / 2,
      x1: times[times.length - 1] + wide[wide.length - 1] / 2, fillcolor: faint(colour("truth"), 0.08), line: { width: 0 } }];
  }
  function band(x, low, high, name, unit) {
    const keep = x.map((_, i) => i).filter((i) => Number.isFinite(low[i]) && Number.isFinite(high[i]));
    const back = keep.slice().reverse();
    return { x: [...keep.map((i) => x[i]), ...back.map((i) => x[i])], name, hoverinfo: "skip", mode: "lines",
      y: [...keep.map((i) => low[i]), ...back.map((i) => high[i])], fill: "toself", line: { width: 0 },
      fillcolor: faint(colour("model"), 0.22), type: "scatter" };
  }
  function drawChannel() {
    const { trial, channel } = state, signal = signals[state.signal], x = row(time, trial), wide = row(width, trial);
    const raw = series(signal.values, trial, channel), mean = series(signal.mean, trial, channel);
    const low = series(signal.low, trial, channel), high = series(signal.high, trial, channel);
    const seen = raw.map((v, i) => (signal.counts ? v / wide[i] : v)), unit = plain(signal.unit);
    const traces = [
      signal.counts
        ? { x, y: seen, type: "bar", name: "recorded", width: wide, customdata: raw, marker: { color: faint(colour("data"), 0.45) },
            hovertemplate: "%{customdata} spikes<extra>recorded</extra>" }
        : { x, y: seen, mode: "lines", name: "recorded", line: { color: colour("data"), width: 1 },
            hovertemplate: "%{y:.4g}<extra>recorded</extra>" },
      band(x, low, high, "95 % interval"),
      { x, y: mean, mode: "lines", name: "inferred", line: { color: colour("model"), width: 2.5 },
        customdata: low.map((v, i) => [v, high[i]]),
        hovertemplate: "%{y:.4g} (%{customdata[0]:.3g} to %{customdata[1]:.3g})<extra>inferred</extra>" },
    ];
    if (signal.true)
      traces.push({ x, y: series(signal.true, trial, channel), mode: "lines", name: "true",
        line: { color: colour("truth"), width: 1.5, dash: "dash" }, hovertemplate: "%{y:.4g}<extra>true</extra>" });
    const top = Math.max(most(high), most(mean), signal.true ? most(series(signal.true, trial, channel)) : 0);
    // a spike in a narrow bin is a tall bar: what is inferred sets the scale
    const range = signal.counts ? { range: [0, Math.max(1.25 * top, 0.6 * most(seen), 1)] } : {};
    draw("plot-channel", traces, { hovermode: "x unified", bargap: 0, shapes: unreadShape(trial),
      xaxis: axis("time in the trial (s)"), yaxis: axis(unit, range) });
    const spikes = finite(raw).reduce((a, b) => a + b, 0), where = mean.indexOf(most(mean));
    $("words-channel").textContent =
      `${called(signal, channel)}${signal.held[channel] ? ", held out: what it did was not read" : ""}, ${label(trial)}: ` +
      (signal.counts ? `${spikes} spikes; inferred rate ` : `recorded ${short(least(raw))} to ${short(most(raw))}; inferred `) +
      `${short(least(mean))} to ${short(most(mean))} ${signal.unit}, highest at ${short(x[where])} s. ` +
      "The band holds 95 % of the posterior" +
      (signal.counts ? " of the rate" : "") + (unreadShape(trial).length ? "; bins in the shaded part were not read." : ".");
    const rows = () => x.map((t, i) => [t, raw[i], mean[i], low[i], high[i]]);
    const head = ["time (s)", signal.counts ? "spikes in the bin" : "recorded", "inferred", "2.5 %", "97.5 %"];
    later("table-channel", () => table("table-channel", head, rows()));
  }
  /** Fills a table when it is opened, and keeps an open one up to date. */
  function later(id, fill) {
    const details = $(id).closest("details");
    details.ontoggle = () => { if (details.open) fill(); };
    if (details.open) fill();
  }
  function drawAll() {
    const { trial } = state, signal = signals[state.signal], x = row(time, trial), wide = row(width, trial);
    const every = [...signal.channels.keys()], names = every.map((i) => called(signal, i) + (signal.held[i] ? " (held out)" : ""));
    let seen = every.map((i) => series(signal.values, trial, i));
    let mean = every.map((i) => series(signal.mean, trial, i));
    const dark = matchMedia("(prefers-color-scheme: dark)").matches && !document.documentElement.classList.contains("printed");
    if (!signal.counts)
      [seen, mean] = [seen, mean].map((all) => all.map((line, i) => {
        const ref = finite(series(signal.values, trial, i)), m = ref.reduce((a, b) => a + b, 0) / ref.length;
        const sd = Math.sqrt(ref.reduce((a, b) => a + (b - m) ** 2, 0) / ref.length) || 1;
        return line.map((v) => (v - m) / sd);
      }));
    const greys = dark ? [[0, "#14171b"], [1, "#ffffff"]] : [[0, "#ffffff"], [1, "#000000"]];
    const scale = signal.counts ? "Viridis" : [[0, "#2166ac"], [0.5, dark ? "#14171b" : "#f7f7f7"], [1, "#b2182b"]];
    /** Limits of a map; a few large values leave the others visible. */
    const limits = (z) => {
      if (!signal.counts) return { zmin: -2.5, zmax: 2.5 };
      const sorted = finite(z.flat()).sort((a, b) => a - b);
      return { zmin: 0, zmax: sorted[Math.floor(0.995 * (sorted.length - 1))] || 1 };
    };
    const bar = (title, y) => ({ title: { text: title, side: "right" }, len: 0.46, y, thickness: 10, tickfont: { size: 10 } });
    const map = (z, xy, title, y, colours, what) => ({ type: "heatmap", x, y: every, z, xaxis: "x", yaxis: xy, colorscale: colours,
      ...limits(z), text: names.map((n) => x.map(() => n)), colorbar: bar(title, y), name: "",
      hovertemplate: `%{text}<br>%{x:.3f} s<br>${what}: %{z:.3g}<extra></extra>` });
    const unit = signal.counts ? "spikes/s" : "z-score";
    const ticks = { tickvals: [every[0], every[every.length - 1]], ticktext: [plain(signal.channels[0]), plain(signal.channels[every.length - 1])] };
    draw("plot-all", [
      map(seen, "y2", signal.counts ? "spikes in a bin" : "z-score", 0.77, signal.counts ? greys : scale, "recorded"),
      map(mean, "y", unit, 0.23, scale, "inferred"),
    ], { xaxis: axis("time in the trial (s)", { anchor: "y" }), margin: { l: 60, r: 10, t: narrow() ? 12 : 36, b: 48 },
      yaxis: axis("inferred", { domain: [0, 0.47], ...ticks }), yaxis2: axis("recorded", { domain: [0.53, 1], ...ticks }) });
    $("words-all").textContent = `${signal.name}, all ${every.length} shown, ${label(trial)}. Above: ` +
      (signal.counts ? "spikes in every bin" : "the signal, z-scored per channel") + ". Below: posterior mean" +
      (signal.counts ? " of the rates." : ", on the same scale.");
  }

  function drawPsths() {
    const signal = signals[state.signal], by = $("by").value, found = signal.psths[by], { channel } = state;
    if (!found) {
      $("by").closest(".controls").hidden = $("table-psths").closest("details").hidden = true;
      return absent("psths", "Nothing is known of the trials that would sort them into conditions (metadata of few values).");
    }
    const [, bins, channels] = found.inferred.shape, x = found.time;
    const line = (array, c) => x.map((_, t) => array.values[(c * bins + t) * channels + channel]);
    const lines = found.labels.map((name, c) => ({ name, inferred: line(found.inferred, c), target: line(found.target, c) }));
    const traces = lines.flatMap(({ name, inferred, target }, c) => {
      const paint = CYCLE[c % 6], more = { x, mode: "lines", name: plain(name), legendgroup: name };
      return [
        { ...more, y: target, showlegend: false, line: { color: paint, width: 1, dash: "dash" }, hovertemplate: `%{y:.3g}<extra>${plain(name)}, ${found.against}</extra>` },
        { ...more, y: inferred, line: { color: paint, width: 2.5, dash: DASHES[Math.floor(c / 6)] }, hovertemplate: `%{y:.3g}<extra>${plain(name)}, inferred</extra>` },
      ];
    });
    draw("plot-psths", traces, { xaxis: axis("time in the trial (s)"), hovermode: "closest",
      yaxis: axis(plain(signal.unit), signal.counts ? { rangemode: "tozero" } : {}) });
    const peak = most(lines.flatMap((one) => one.inferred)), top = lines.find((one) => one.inferred.includes(peak));
    const shown = lines.length < found.all ? `${lines.length} of the ${found.all} values of ${by}` : `each ${by}`;
    $("words-psths").textContent = `${called(signal, channel)}, means over the shown trials of ${shown}: inferred (bold) and ${found.against} (dashed). ` +
      `Inferred is highest for ${by} ${top.name}, ${short(peak)} ${signal.unit} at ${short(x[top.inferred.indexOf(peak)])} s. ` +
      (found.r2[channel] === null ? "" : `R2 over conditions and bins: ${short(found.r2[channel])}.`);
    later("table-psths", () => table("table-psths", ["time (s)", ...lines.flatMap(({ name }) => [`${name}, inferred`, `${name}, ${found.against}`])],
      x.map((t, i) => [t, ...lines.flatMap((one) => [one.inferred[i], one.target[i]])])));
  }

  // latents

  const axisName = (key) => (key === "time" ? "time (s)" : plain(latents.names[key]));
  const along = (key, trial) => (key === "time" ? row(time, trial) : series(latents.mean, trial, Number(key)));
  function drawSpace() {
    if (!latents) return;
    const keys = [$("x").value, $("y").value, $("z").value], deep = keys[2] !== "none", by = $("colour").value;
    const group = by ? trials.groups[by] : null, kinds = group ? [...new Set(group)].sort() : [];
    const used = new Set(), traces = [], order = trials.labels.map((_, i) => i).filter((i) => i !== state.trial);
    $("turn").hidden = !deep;
    function path(trial, chosen) {
      const place = deep ? { x: along(keys[0], trial), y: along(keys[1], trial), z: along(keys[2], trial) }
        : { x: along(keys[0], trial), y: along(keys[1], trial) };
      const kind = group ? kinds.indexOf(group[trial]) : -1;
      const paint = group ? CYCLE[kind % 6] : chosen ? colour("model") : colour("data");
      const first = group ? !used.has(kind) : chosen;
      used.add(kind);
      const hover = (deep ? "%{x:.3g}, %{y:.3g}, %{z:.3g}" : "%{x:.3g}, %{y:.3g}") + "<br>%{customdata:.3f} s";
      const type = deep ? "scatter3d" : "scatter", name = group ? `${plain(by)} ${plain(group[trial])}` : label(trial);
      const opacity = chosen ? 1 : group ? 0.55 : 0.3;
      traces.push({ ...place, type, mode: "lines", name: plain(name), showlegend: first, legendgroup: name, opacity,
        line: { color: paint, width: chosen ? (deep ? 6 : 3.5) : deep ? 2 : 1,
          dash: group && !deep ? DASHES[Math.floor(kind / 6) % 4] : "solid" },
        customdata: row(time, trial), hovertemplate: `${hover}<extra>${plain(label(trial))}</extra>` });
      const start = Object.fromEntries(Object.entries(place).map(([k, v]) => [k, v.slice(0, 1)]));
      traces.push({ ...start, type, mode: "markers", showlegend: false, legendgroup: name, opacity, hoverinfo: "skip",
        marker: { color: paint, size: chosen ? 7 : 3 } });
    }
    const arrows = flow(keys, deep);
    if (arrows) traces.push(arrows);
    for (const trial of order) path(trial, false);
    path(state.trial, true);
    const titles = keys.map((k) => (k === "none" ? "" : axisName(k)));
    const scene = { xaxis: axis(titles[0]), yaxis: axis(titles[1]), zaxis: axis(titles[2]), aspectmode: "cube",
      camera: $("plot-space").layout?.scene?.camera ?? { eye: narrow() ? { x: 1.75, y: 1.6, z: 1 } : { x: 1.4, y: 1.3, z: 0.8 } } };
    draw("plot-space", traces, deep
      ? { scene, margin: { l: 0, r: 0, t: 30, b: 0 } }
      : { xaxis: axis(titles[0]), yaxis: axis(titles[1]), hovermode: "closest" });
    $("words-space").textContent =
      `Latent trajectories of ${trials.labels.length} trial${trials.labels.length > 1 ? "s" : ""} against ${titles.filter(Boolean).join(", ")} (arbitrary units); ` +
      `${label(state.trial)} thick, dots where trials start.` + (group ? ` Colours: ${by}.` : "") +
      (arrows ? " Lines from grey dots: where the fitted dynamics take a state, without noise." : "") +
      (deep ? " Drag to turn, or press Turn." : "");
  }
  /** Lines from a grid to where the dynamics lead, if the axes are the latents themselves. */
  function flow(keys, deep) {
    const found = page.flow, wanted = deep ? 3 : 2;
    if (!found || found.at[0].length !== wanted || keys.slice(0, wanted).includes("time")) return null;
    if (new Set(keys.slice(0, wanted)).size < wanted) return null;
    const longest = Math.sqrt(most(found.to.map((a) => a.reduce((s, v) => s + v * v, 0)))) || 1;
    const scale = Math.max(1, (0.9 * found.spacing) / longest);
    const lines = keys.slice(0, wanted).map((k) => found.at.flatMap((p, i) => [p[k], p[k] + scale * found.to[i][k], null]));
    const sizes = found.at.flatMap(() => [deep ? 2 : 3, 0, 0]);
    const [x, y, z] = lines;
    return { x, y, ...(deep ? { z, type: "scatter3d" } : { type: "scatter" }), mode: "lines+markers", name: "flow", hoverinfo: "skip",
      opacity: 0.6, line: { color: colour("data"), width: 1 }, marker: { size: sizes, color: colour("data"), line: { width: 0 } } };
  }
  let turning = 0;
  function turn() {
    const plot = $("plot-space"), eye = plot.layout.scene.camera.eye, still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const radius = Math.hypot(eye.x, eye.y), from = Math.atan2(eye.y, eye.x), steps = still ? 1 : 45;
    const own = ++turning;
    let step = 0;
    function on() {
      if (own !== turning || ++step > steps) return;
      const angle = from + (step / steps) * (Math.PI / 4);
      Plotly.relayout(plot, { "scene.camera.eye": { x: radius * Math.cos(angle), y: radius * Math.sin(angle), z: eye.z } })
        .then(() => requestAnimationFrame(on));
    }
    on();
  }
  function drawLatents() {
    if (!latents) return;
    const { trial } = state, x = row(time, trial), n = Math.min(latents.names.length, 6), traces = [], layout = {};
    for (let i = 0; i < n; i++) {
      const mean = series(latents.mean, trial, i), sd = series(latents.sd, trial, i), id = i ? String(i + 1) : "";
      const low = mean.map((v, t) => v - 2 * sd[t]), high = mean.map((v, t) => v + 2 * sd[t]);
      traces.push({ ...band(x, low, high, "2 sd"), yaxis: "y" + id, showlegend: i === 0 });
      traces.push({ x, y: mean, mode: "lines", yaxis: "y" + id, name: "posterior mean", showlegend: i === 0,
        line: { color: colour("model"), width: 2 }, customdata: sd,
        hovertemplate: `%{y:.3g} ± %{customdata:.2g}<extra>${plain(latents.names[i])}</extra>` });
      const gap = 0.25 / n;
      layout["yaxis" + id] = axis(plain(latents.names[i]), { domain: [1 - (i + 1) / n + gap / 2, 1 - i / n - gap / 2], nticks: 4 });
    }
    $("plot-latents").style.height = `${110 + 95 * n}px`;
    draw("plot-latents", traces, { ...layout, hovermode: "x", shapes: unreadShape(trial),
      xaxis: axis("time in the trial (s)", { anchor: "y" + (n > 1 ? n : "") }) });
    $("words-latents").textContent = `Posterior mean of the ${n < latents.all ? `first ${n} of ${latents.all} ` : ""}latents in ` +
      `${label(trial)}, bands of 2 sd, arbitrary units.`;
    const every = [...latents.names.keys()];
    later("table-latents", () => table("table-latents", ["time (s)", ...latents.names.flatMap((l) => [l, "sd"])],
      x.map((t, i) => [t, ...every.flatMap((l) => [series(latents.mean, trial, l)[i], series(latents.sd, trial, l)[i]])])));
  }
  function drawPotential() {
    const found = page.potential;
    if (!found) return;
    const { axes, sides, energy } = found.planes[Number($("plane").value)], U = unpack(energy), names = axes.map((a) => plain(latents.names[a]));
    const titles = names.map((name) => `${name} (arbitrary units)`), order = [...trials.labels.keys()].filter((i) => i !== state.trial);
    const bottom = U.values.indexOf(0), wide = sides[0].length, rest = found.all - axes.length;
    const traces = [];
    if (axes.length > 1) {
      const rows = sides[1].map((_, j) => Array.from(U.values.subarray(j * wide, (j + 1) * wide)));
      const sorted = Float64Array.from(U.values).sort(), top = sorted[Math.floor(0.8 * sorted.length)] || 1; // walls would hide the floor
      traces.push({ type: "contour", x: sides[0], y: sides[1], z: rows, zmin: 0, zmax: top, colorscale: "Cividis", ncontours: 16, name: "U / T",
        contours: { start: 0, end: top, size: top / 12 }, line: { width: 0.5, color: "rgba(255,255,255,0.35)" },
        colorbar: { title: { text: "U / T", side: "right" }, thickness: 12, tickformat: ".3~g" }, hovertemplate: "%{x:.3g}, %{y:.3g}<br>U / T %{z:.3g}<extra></extra>" });
    } else
      traces.push({ x: sides[0], y: Array.from(U.values), mode: "lines", name: "U / T", line: { color: colour("model"), width: 2 } });
    const height = (x) => {
      const at = Math.min(Math.max((x - sides[0][0]) / (sides[0][1] - sides[0][0]), 0), wide - 1.001), i = Math.floor(at);
      return U.values[i] + (at - i) * (U.values[i + 1] - U.values[i]);
    };
    for (const trial of [...order, state.trial]) {
      const x = along(axes[0], trial), chosen = trial === state.trial, y = axes.length > 1 ? along(axes[1], trial) : x.map(height);
      traces.push({ x, y, mode: axes.length > 1 ? "lines" : "markers", showlegend: chosen, name: plain(label(trial)), opacity: chosen ? 1 : 0.5,
        line: { color: chosen ? "#FF9A4D" : "#FFFFFF", width: chosen ? 3 : 0.7 }, marker: { color: chosen ? colour("truth") : colour("data"), size: chosen ? 6 : 3 },
        hovertemplate: `%{x:.3g}, %{y:.3g}<extra>${plain(label(trial))}</extra>` });
    }
    draw("plot-potential", traces, { xaxis: axis(titles[0]), yaxis: axis(axes.length > 1 ? titles[1] : "U / T (above the lowest)"), hovermode: "closest" });
    const place = axes.length > 1 ? [sides[0][bottom % wide], sides[1][Math.floor(bottom / wide)]] : [sides[0][bottom]];
    $("words-potential").textContent = `Potential U in units of the temperature (T = ${short(found.temperature)}) along ${names.join(" and ")}` +
      (rest ? `, the other ${rest} position${rest > 1 ? "s" : ""} at their mean` : "") + `; lowest at ${place.map(short).join(", ")}. ` +
      `Positions in the shown trials on top of it, ${label(state.trial)} thick. Without other forces the density of states goes as exp(-U / T).`;
  }
  function drawTrial() {
    drawChannel();
    drawAll();
    drawSpace();
    drawLatents();
    drawPotential();
  }

  // the fit and its simulations

  function drawCourse() {
    const found = page.course;
    if (!found) return absent("course", "There was no course: nothing was fitted step by step.");
    const marker = found.step.length < 20 ? "lines+markers" : "lines", traces = [], layout = {};
    const unit = found.score === "co_bps" ? "bits/spike" : "nats/bin";
    const parts = [["bound", "training bound (nats/bin)"], ["values", `validation ${found.score} (${unit})`], ["ess", "effective sample size (of K)"]]
      .filter(([key]) => found[key].some((v) => v !== null));
    const stacked = narrow();
    parts.forEach(([key, title], i) => {
      const id = i ? String(i + 1) : "", y = found[key], n = parts.length, gap = 0.065;
      traces.push({ x: found.step, y, mode: marker, name: title, xaxis: "x" + id, yaxis: "y" + id, showlegend: false,
        line: { color: colour("model"), width: 2 }, hovertemplate: "step %{x}: %{y:.5g}<extra></extra>" });
      const sorted = finite(y.map((v) => (v === null ? NaN : v))).sort((a, b) => a - b);
      const low = sorted[Math.floor(sorted.length / 10)], high = sorted[sorted.length - 1], room = 0.15 * (high - low) || 0.1;
      const part = [i / n + (i ? gap : 0), (i + 1) / n - (i < n - 1 ? gap : 0)];
      const domain = stacked ? { x: [0, 1], y: [1 - (i + 1) / n + 0.06, 1 - i / n - 0.06] } : { x: part, y: [0, 1] };
      layout["xaxis" + id] = axis(!stacked || i === n - 1 ? "gradient step" : "", { domain: domain.x, nticks: 5, anchor: "y" + id });
      layout["yaxis" + id] = axis(title, { domain: domain.y, anchor: "x" + id, range: key === "ess" ? [0, 1.02] : [low - room, high + room] });
      if (key === "values") {
        const best = y.indexOf(high);
        traces.push({ x: [found.step[best]], y: [high], mode: "markers", xaxis: "x" + id, yaxis: "y" + id, showlegend: false,
          marker: { color: colour("truth"), size: 9 }, hovertemplate: "kept: step %{x}<extra></extra>" });
      }
    });
    $("plot-course").style.height = stacked ? `${190 * parts.length}px` : "";
    draw("plot-course", traces, { ...layout, margin: { l: 60, r: 12, t: 12, b: 48 } });
    const last = found.step[found.step.length - 1], bound = finite(found.bound.map((v) => (v === null ? NaN : v)));
    $("words-course").textContent = `Course of the fit over ${last} steps: the bound on training batches rose from ${short(bound[0])} to ` +
      `${short(bound[bound.length - 1])} nats per bin. The dot marks the parameters that were kept. Effective sample sizes near 1/K mean that weights degenerate.`;
  }
  function drawPairs() {
    const found = page.simulated, name = $("statistic").value, pair = found.pairs[name];
    const ends = [least([...pair.data, ...pair.model].map((v) => v ?? NaN)), most([...pair.data, ...pair.model].map((v) => v ?? NaN))];
    draw("plot-pairs", [
      { x: ends, y: ends, mode: "lines", name: "equal", hoverinfo: "skip", line: { color: colour("data"), width: 1 } },
      { x: pair.data, y: pair.model, text: found.names.map(plain), mode: "markers", name: "channels", marker: { color: colour("model"), size: 7, opacity: 0.75 },
        hovertemplate: "%{text}<br>data %{x:.3g}<br>model %{y:.3g}<extra></extra>" },
    ], { xaxis: axis(`data: ${name}`), yaxis: axis("model"), hovermode: "closest" });
    $("words-pairs").textContent = `${name}: simulations of the model against the data, a dot per channel, equal on the grey line` +
      (pair.r === null ? "." : `; correlation ${short(pair.r)}.`);
  }
  function drawSimulated() {
    const found = page.simulated;
    if (!found || found.failed) {
      $("statistic").closest(".controls").hidden = true;
      absent("pairs", found ? `Simulations cannot be shown: ${found.failed}` : "This model makes no simulations.");
      absent("power", "");
    } else {
      if (!$("statistic").options.length) {
        options($("statistic"), Object.keys(found.pairs).map((name) => [name, name]), Object.keys(found.pairs)[0]);
        $("statistic").onchange = drawPairs;
      }
      drawPairs();
      draw("plot-power", ["data", "model"].map((name, i) => ({ x: found.frequency, y: found.power[i], name, mode: "lines",
        line: { color: colour(name), width: 2, dash: i ? "solid" : "dash" }, hovertemplate: `%{x:.3g} Hz: %{y:.3g}<extra>${name}</extra>` })),
      { xaxis: axis("frequency (Hz)", { type: "log", dtick: "D2" }), yaxis: axis(plain(found.unit), { type: "log", dtick: "D2" }), hovermode: "closest" });
      $("words-power").textContent = "Power spectra over the shown channels, recorded (dashed) and simulated.";
    }
    const pit = page.calibrated;
    if (!pit) return absent("calibrated", "Calibration is not shown: it needs counts that were not read (--hold-out or --forward).");
    const n = pit.density.length;
    draw("plot-calibrated", [
      { x: pit.density.map((_, i) => (i + 0.5) / n), y: pit.density, type: "bar", marker: { color: faint(colour("model"), 0.75) },
        hovertemplate: "PIT near %{x:.3f}: density %{y:.3f}<extra></extra>" },
    ], { bargap: 0.04, xaxis: axis("probability integral transform (0 to 1)", { range: [0, 1] }), yaxis: axis("density", { rangemode: "tozero" }),
      shapes: [{ type: "line", x0: 0, x1: 1, y0: 1, y1: 1, line: { color: colour("data"), dash: "dash" } }], showlegend: false });
    $("words-calibrated").textContent = `Calibration of ${pit.count} counts that were not read: flat is right; a hump means uncertainties too wide, ` +
      `a valley too narrow. Central intervals hold: ` + pit.coverage.map(([level, share]) => `${short(100 * share)} % at ${100 * level} %`).join(", ") + ".";
  }
  function drawEverything() {
    drawTrial();
    drawPsths();
    drawCourse();
    drawSimulated();
  }

  pickers();
  $("landscape").hidden = !page.potential;
  if (!latents) {
    absent("space", "This baseline has no latents.");
    absent("latents", "");
    document.querySelectorAll("#plot-space, #plot-latents").forEach((one) => { one.hidden = true; });
    $("x").closest(".controls").hidden = true;
    $("table-latents").closest("details").hidden = true;
  }
  drawEverything();

  // on paper everything is bright and as wide as the sheet
  function printed(on) {
    document.documentElement.classList.toggle("printed", on);
    drawEverything();
    for (const plot of document.querySelectorAll(".plot:not([hidden])"))
      Plotly.relayout(plot, on ? { width: 680, autosize: false } : { width: null, autosize: true });
  }
  window.addEventListener("beforeprint", () => printed(true));
  window.addEventListener("afterprint", () => printed(false));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawEverything);
  document.documentElement.dataset.ready = "yes";
})();
