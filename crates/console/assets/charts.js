// Charts out of data-chart: {"x": [Unix seconds], "unit": "count" | "ms", "stacked": bool, "series": [{"label", "color", "values"}]}.
// Without this script the bars and the table beside a chart say the same.
"use strict";

// Colours by name, as the style sheet has them now. The palette is for series that mean nothing better or worse.
function chartColor(name) {
  const palette = { c1: "--c1", c2: "--c2", c3: "--c3", c4: "--c4", c5: "--c5", c6: "--c6" };
  const style = getComputedStyle(document.documentElement);
  return style.getPropertyValue(palette[name] || "--" + name).trim() || style.getPropertyValue("--accent").trim();
}

function chartNumber(value, unit) {
  if (value == null) return "–";
  if (unit !== "ms") return value.toLocaleString("en");
  if (value < 1000) return Math.round(value) + " ms";
  if (value < 120000) return (value / 1000).toFixed(1) + " s";
  if (value < 7200000) return Math.round(value / 60000) + " min";
  return (value / 3600000).toFixed(1) + " h";
}

// Counts and milliseconds are whole numbers on an axis.
const chartSteps = [...Array(16).keys()].flatMap((power) => [1, 2, 5].map((step) => step * 10 ** power));

function drawChart(element) {
  let chart;
  try { chart = JSON.parse(element.dataset.chart); } catch { return; }
  const shown = chart.series.map((series) => series.values);
  // Areas on top of each other: each is drawn as the sum up to it, the largest first.
  const drawn = chart.stacked
    ? shown.map((_, at) => chart.x.map((_, i) => shown.slice(0, at + 1).reduce((sum, values) => sum + (values[i] || 0), 0) || null))
    : shown;
  const order = chart.stacked ? drawn.map((_, at) => drawn.length - 1 - at) : drawn.map((_, at) => at);
  const line = chartColor("line");
  const axis = { stroke: chartColor("muted"), grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 }, font: "12px " + getComputedStyle(document.body).fontFamily };
  // The zone of all times on the page.
  const { zone: timeZone } = document.body.dataset;
  const options = {
    tzDate: (at) => uPlot.tzDate(new Date(at * 1000), timeZone),
    width: Math.max(element.clientWidth, 200),
    height: 200,
    legend: { live: true },
    cursor: { y: false, drag: { x: false, y: false } },
    scales: { y: { range: (_, __, max) => [0, Math.max(max * 1.1, 1)] } },
    axes: [
      { ...axis, space: 70, values: (_, ticks, __, ___, step) => ticks.map((tick) => {
        const at = new Date(tick * 1000);
        return step >= 86400
          ? at.toLocaleDateString(undefined, { timeZone, month: "short", day: "numeric" })
          : at.toLocaleTimeString(undefined, { timeZone, hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
      }) },
      { ...axis, size: 62, incrs: chartSteps, values: (_, ticks) => ticks.map((tick) => chartNumber(tick, chart.unit)) },
    ],
    series: [
      { label: "Time", value: (_, at) => at == null ? "–" : new Date(at * 1000).toLocaleString(undefined, { timeZone, dateStyle: "medium", timeStyle: "short" }) },
      ...order.map((at) => {
        const color = chartColor(chart.series[at].color);
        return {
          label: chart.series[at].label,
          stroke: color,
          width: chart.stacked ? 1 : 2,
          fill: chart.stacked ? color : undefined,
          points: { show: !chart.stacked },
          spanGaps: false,
          paths: chart.stacked ? uPlot.paths.bars({ size: [0.9, 100], gap: 1 }) : undefined,
          value: (_, __, ___, i) => i == null ? "–" : chartNumber(shown[at][i], chart.unit),
        };
      }),
    ],
  };
  element.replaceChildren();
  const plot = new uPlot(options, [chart.x, ...order.map((at) => drawn[at])], element);
  element.chartPlot = plot;
}

function drawCharts(root) {
  for (const element of root.querySelectorAll("[data-chart]")) {
    if (element.chartPlot) continue;
    drawChart(element);
    new ResizeObserver(() => {
      const width = Math.max(element.clientWidth, 200);
      if (element.chartPlot && Math.abs(element.chartPlot.width - width) > 1) element.chartPlot.setSize({ width, height: 200 });
    }).observe(element);
  }
  if (root.querySelector("[data-chart]")) document.documentElement.classList.add("has-charts");
}

document.addEventListener("htmx:load", (event) => drawCharts(event.detail.elt));
document.addEventListener("DOMContentLoaded", () => {
  drawCharts(document);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const element of document.querySelectorAll("[data-chart]")) drawChart(element);
  });
});
