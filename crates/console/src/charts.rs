//! Charts: what they show as data for a script, as bars that need none, and as a table.

use crate::Console;
use crate::failure::Failure;
use crate::text;
use hitwire_event::IntegrationId;
use hitwire_index::{Point, Range};
use serde_json::{Value, json};

/// Units of width and height of a picture made of bars.
const BARS_WIDTH: u64 = 240;
const BARS_HEIGHT: u64 = 32;

/// A bar of a picture, in its units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bar {
    pub(crate) x: u64,
    pub(crate) y: u64,
    pub(crate) width: u64,
    pub(crate) height: u64,
    /// `ok`, `bad` or `off`.
    pub(crate) class: &'static str,
}

/// Bars beside each other, with the share that failed on top of each: for `<svg class="spark" viewBox="0 0 240 32">`.
pub(crate) fn bars(points: &[(u64, u64)]) -> Vec<Bar> {
    let most = points.iter().map(|(well, failed)| well + failed).max().unwrap_or_default().max(1);
    let slot = BARS_WIDTH / (points.len() as u64).max(1);
    let mut bars = Vec::with_capacity(points.len());
    for (at, &(well, failed)) in points.iter().enumerate() {
        let (x, width) = (at as u64 * slot, slot.saturating_sub(1).max(1));
        // What is there at all is seen.
        let height = |count: u64| if count == 0 { 0 } else { (count * BARS_HEIGHT / most).max(2) };
        let (ok, bad) = (height(well), height(failed));
        let bad = bad.min(BARS_HEIGHT - ok.min(BARS_HEIGHT - 2));
        if well + failed == 0 {
            bars.push(Bar { x, y: BARS_HEIGHT - 1, width, height: 1, class: "off" });
        }
        if ok > 0 {
            bars.push(Bar { x, y: BARS_HEIGHT - ok, width, height: ok, class: "ok" });
        }
        if bad > 0 {
            bars.push(Bar { x, y: (BARS_HEIGHT - ok).saturating_sub(bad), width, height: bad, class: "bad" });
        }
    }
    bars
}

/// A line or an area of a chart.
pub(crate) struct Series {
    pub(crate) label: String,
    /// A colour by name: see charts.js.
    pub(crate) color: &'static str,
    pub(crate) values: Vec<Value>,
}

/// Whether there is anything to draw: an axis alone would say something that is not so.
fn has_values(series: &[Series]) -> bool {
    series.iter().any(|series| series.values.iter().any(|value| !value.is_null()))
}

/// What the script makes a chart of, for `data-chart`. `x`: Unix seconds. `unit`: `count` or `ms`.
pub(crate) fn data(x: &[u64], unit: &str, stacked: bool, series: &[Series]) -> String {
    let series: Vec<Value> = series
        .iter()
        .map(|series| json!({"label": series.label, "color": series.color, "values": series.values}))
        .collect();
    json!({"x": x, "unit": unit, "stacked": stacked, "series": series}).to_string()
}

/// The charts of an integration: `{% include "charts/integration.html" %}` in a template that has them as `charts`, and
/// `{% include "charts/head.html" %}` in its block `head`.
pub(crate) struct IntegrationCharts {
    /// The page that shows them; a range is chosen by its query `range`.
    pub(crate) path: String,
    pub(crate) range: Range,
    pub(crate) requests: String,
    /// None: no request was answered in this time.
    pub(crate) latency: Option<String>,
    /// None: no event was delivered in this time.
    pub(crate) lag: Option<String>,
    pub(crate) bars: Vec<Bar>,
    pub(crate) rows: Vec<ChartRow>,
    pub(crate) total: u64,
    pub(crate) failed: u64,
}

/// A row of the table.
pub(crate) struct ChartRow {
    pub(crate) start_ms: u64,
    pub(crate) delivered: u64,
    pub(crate) sick: u64,
    pub(crate) refused: u64,
    pub(crate) events: u64,
    pub(crate) p50: String,
    pub(crate) p95: String,
    pub(crate) lag: String,
}

/// The charts of an integration over the range that a page was asked for.
///
/// # Errors
///
/// When the index cannot be read.
pub(crate) async fn of_integration(
    console: &Console,
    id: IntegrationId,
    path: String,
    range: &str,
) -> Result<IntegrationCharts, Failure> {
    let range = Range::named(range).unwrap_or_default();
    Ok(IntegrationCharts::of(path, range, &console.index.series(id, range).await?))
}

impl IntegrationCharts {
    fn of(path: String, range: Range, points: &[Point]) -> IntegrationCharts {
        let x: Vec<u64> = points.iter().map(|point| point.start_s).collect();
        let series = |label: &str, color, value: &dyn Fn(&Point) -> Value| Series {
            label: label.to_owned(),
            color,
            values: points.iter().map(value).collect(),
        };
        let requests = [
            series("delivered", "ok", &|point| point.delivered.into()),
            series("no response or unavailable", "warn", &|point| point.sick.into()),
            series("failed", "bad", &|point| (point.refused + point.gone).into()),
        ];
        let latency = [
            series("median", "accent", &|point| json!(point.p50_ms)),
            series("95th percentile", "warn", &|point| json!(point.p95_ms)),
        ];
        let lag = [series("longest wait", "accent", &|point| json!(point.lag_ms))];
        let ms = |ms: Option<f64>| ms.map(|ms| text::span_ms(ms.round() as u64)).unwrap_or_default();
        let row = |point: &Point| ChartRow {
            start_ms: point.start_s * 1_000,
            delivered: point.delivered,
            sick: point.sick,
            refused: point.refused + point.gone,
            events: point.events,
            p50: ms(point.p50_ms),
            p95: ms(point.p95_ms),
            lag: point.lag_ms.map(text::span_ms).unwrap_or_default(),
        };
        let asked = points.iter().filter(|point| point.delivered + point.failed() > 0);
        let counts: Vec<_> = points.iter().map(|point| (point.delivered, point.failed())).collect();
        IntegrationCharts {
            path,
            range,
            requests: data(&x, "count", true, &requests),
            latency: has_values(&latency).then(|| data(&x, "ms", false, &latency)),
            lag: has_values(&lag).then(|| data(&x, "ms", false, &lag)),
            bars: bars(&counts),
            rows: asked.rev().map(row).collect(),
            total: counts.iter().map(|(well, failed)| well + failed).sum(),
            failed: counts.iter().map(|(_, failed)| failed).sum(),
        }
    }

    /// Ranges to choose from: name, words, whether it is the one.
    pub(crate) fn ranges(&self) -> [(&'static str, &'static str, bool); 3] {
        Range::ALL.map(|range| {
            let words = match range {
                Range::Hour => "1 hour",
                Range::Day => "24 hours",
                Range::Week => "7 days",
            };
            (range.name(), words, range == self.range)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_fit_and_show_what_is_little() {
        let bars = bars(&[(0, 0), (1_000_000, 1), (3, 0), (0, 7)]);
        assert!(bars.iter().all(|bar| bar.y + bar.height <= BARS_HEIGHT && bar.x + bar.width <= BARS_WIDTH));
        let classes: Vec<_> = bars.iter().map(|bar| (bar.x, bar.class)).collect();
        assert_eq!(classes, [(0, "off"), (60, "ok"), (60, "bad"), (120, "ok"), (180, "bad")]);
        assert!(bars.iter().filter(|bar| bar.class != "off").all(|bar| bar.height >= 2));
    }

    #[test]
    fn a_chart_has_a_value_for_each_moment_and_its_table_only_what_happened() {
        let quiet = Point { start_s: 60, ..Point::default() };
        let busy = Point { start_s: 120, delivered: 2, sick: 1, p50_ms: Some(12.4), ..Point::default() };
        let charts = IntegrationCharts::of("/x".to_owned(), Range::Hour, &[quiet, busy]);
        let requests: Value = serde_json::from_str(&charts.requests).unwrap();
        assert_eq!(requests["series"][0]["values"], json!([0, 2]));
        let latency: Value = serde_json::from_str(&charts.latency.unwrap()).unwrap();
        assert_eq!(charts.lag, None, "nothing was delivered, so there is no chart of how late");
        assert_eq!(latency["series"][0]["values"], json!([null, 12.4]));
        assert_eq!((charts.rows.len(), charts.rows[0].p50.as_str()), (1, "12 ms"));
        assert_eq!((charts.total, charts.failed), (3, 1));
    }
}
