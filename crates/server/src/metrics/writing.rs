//! Writing series, a few words shorter.

use hitwire_store::Distribution;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, EncodeLabelSet, MetricEncoder, NoLabelSet,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;
use std::fmt;

/// Name, help and unit of a family.
#[derive(Clone, Copy, Debug)]
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) unit: Option<&'static Unit>,
}

/// A family without a unit.
pub(super) const fn family(name: &'static str, help: &'static str) -> Family {
    Family { name, help, unit: None }
}

/// A family in bytes; the unit becomes the end of the name.
pub(super) const fn bytes(name: &'static str, help: &'static str) -> Family {
    Family { name, help, unit: Some(&Unit::Bytes) }
}

/// A family in seconds; the unit becomes the end of the name.
pub(super) const fn seconds(name: &'static str, help: &'static str) -> Family {
    Family { name, help, unit: Some(&Unit::Seconds) }
}

/// Begins a family. Its help becomes a sentence, as that of a family that is registered does.
fn describe<'a>(
    encoder: &'a mut DescriptorEncoder<'_>,
    family: Family,
    kind: MetricType,
) -> Result<MetricEncoder<'a>, fmt::Error> {
    encoder.encode_descriptor(family.name, &format!("{}.", family.help), family.unit, kind)
}

/// Writes gauges; none, if there are no values.
pub(super) fn gauges<L: EncodeLabelSet, V: EncodeGaugeValue>(
    encoder: &mut DescriptorEncoder<'_>,
    family: Family,
    values: impl IntoIterator<Item = (L, V)>,
) -> fmt::Result {
    let mut values = values.into_iter().peekable();
    if values.peek().is_none() {
        return Ok(());
    }
    let mut metric = describe(encoder, family, MetricType::Gauge)?;
    for (labels, value) in values {
        metric.encode_family(&labels)?.encode_gauge(&value)?;
    }
    Ok(())
}

/// Writes one gauge, if it has a value.
pub(super) fn gauge<V: EncodeGaugeValue>(
    encoder: &mut DescriptorEncoder<'_>,
    family: Family,
    value: Option<V>,
) -> fmt::Result {
    let Some(value) = value else { return Ok(()) };
    describe(encoder, family, MetricType::Gauge)?.encode_gauge(&value)
}

/// Writes counters; none, if there are no values.
pub(super) fn counters<L: EncodeLabelSet, V: EncodeCounterValue>(
    encoder: &mut DescriptorEncoder<'_>,
    family: Family,
    values: impl IntoIterator<Item = (L, V)>,
) -> fmt::Result {
    let mut values = values.into_iter().peekable();
    if values.peek().is_none() {
        return Ok(());
    }
    let mut metric = describe(encoder, family, MetricType::Counter)?;
    for (labels, value) in values {
        metric.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&value, None)?;
    }
    Ok(())
}

/// Writes one counter.
pub(super) fn counter<V: EncodeCounterValue>(
    encoder: &mut DescriptorEncoder<'_>,
    family: Family,
    value: V,
) -> fmt::Result {
    describe(encoder, family, MetricType::Counter)?.encode_counter::<NoLabelSet, _, u64>(&value, None)
}

/// Writes a distribution, its values divided by `scale`.
pub(super) fn histogram(
    encoder: &mut DescriptorEncoder<'_>,
    family: Family,
    distribution: &Distribution,
    scale: f64,
) -> fmt::Result {
    let classes: Vec<(f64, u64)> = distribution
        .classes()
        .map(|(limit, count)| (limit.map_or(f64::INFINITY, |limit| limit as f64 / scale), count))
        .collect();
    let count = classes.iter().map(|(_, count)| count).sum();
    let sum = distribution.sum() as f64 / scale;
    describe(encoder, family, MetricType::Histogram)?
        .encode_histogram::<NoLabelSet>(sum, count, &classes, None)
}
