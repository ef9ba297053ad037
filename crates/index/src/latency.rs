//! How long requests took, in classes: enough for a median, and small enough to be kept for every minute.

/// Classes grow by a half each: 1 ms, 1.5 ms, ... 192 s, and everything above.
const CLASSES: usize = 32;
const GROWTH: f64 = 1.5;

/// How many requests took how long.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latencies {
    classes: [u32; CLASSES],
}

impl Latencies {
    /// Counts a request.
    pub fn add(&mut self, took_us: u64) {
        let took_ms = took_us as f64 / 1_000.0;
        let class = if took_ms <= 1.0 { 0 } else { took_ms.log(GROWTH).ceil() as usize };
        let class = &mut self.classes[class.min(CLASSES - 1)];
        *class = class.saturating_add(1);
    }

    /// Adds what another one counted.
    pub fn merge(&mut self, other: &Latencies) {
        for (class, more) in self.classes.iter_mut().zip(other.classes) {
            *class = class.saturating_add(more);
        }
    }

    /// Milliseconds that this share (0 to 1) of the requests took at most; none: there were none. True within a half, as wide as
    /// a class is; between its limits the requests are taken to lie evenly.
    pub fn quantile_ms(&self, share: f64) -> Option<f64> {
        let all: u64 = self.classes.iter().map(|&count| u64::from(count)).sum();
        if all == 0 {
            return None;
        }
        let wanted = (share * all as f64).clamp(1.0, all as f64);
        let mut before = 0.0;
        for (class, count) in self.classes.iter().enumerate() {
            let count = f64::from(*count);
            if before + count >= wanted {
                let upper = GROWTH.powi(class as i32);
                let lower = if class == 0 { 0.0 } else { upper / GROWTH };
                return Some(lower + (upper - lower) * (wanted - before) / count);
            }
            before += count;
        }
        None
    }

    /// As the file keeps them: the classes that hold something, each with its number and its count.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let counted = self.classes.iter().enumerate().filter(|(_, count)| **count > 0);
        counted.flat_map(|(class, count)| std::iter::once(class as u8).chain(count.to_le_bytes())).collect()
    }

    /// The same, read back; what makes no sense is left out.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        let mut latencies = Latencies::default();
        for entry in bytes.chunks_exact(5) {
            if let ([class, count @ ..], Ok(entry)) = (entry, <[u8; 4]>::try_from(&entry[1..]))
                && count.len() == entry.len()
                && let Some(kept) = latencies.classes.get_mut(usize::from(*class))
            {
                *kept = u32::from_le_bytes(entry);
            }
        }
        latencies
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(took_ms: &[u64]) -> Latencies {
        let mut latencies = Latencies::default();
        for ms in took_ms {
            latencies.add(ms * 1_000);
        }
        latencies
    }

    #[test]
    fn nothing_has_no_median() {
        assert_eq!(Latencies::default().quantile_ms(0.5), None);
    }

    #[test]
    fn what_takes_very_long_is_in_the_last_class() {
        assert!(of(&[3_600_000]).quantile_ms(0.5).is_some_and(|ms| ms > 180_000.0));
    }

    proptest! {
        #[test]
        fn a_quantile_is_true_within_a_half(mut took_ms in prop::collection::vec(1_u64..190_000, 1..60), share in 0.0..1.0) {
            let told = of(&took_ms).quantile_ms(share).unwrap();
            took_ms.sort_unstable();
            let place = ((share * took_ms.len() as f64).ceil() as usize).clamp(1, took_ms.len());
            let exact = took_ms[place - 1] as f64;
            prop_assert!(told >= exact / GROWTH - 1.0 && told <= exact * GROWTH + 1.0, "{told} for {exact}");
        }

        #[test]
        fn what_was_written_is_read_back(took_ms in prop::collection::vec(0_u64..900_000, 0..60)) {
            let latencies = of(&took_ms);
            prop_assert_eq!(Latencies::from_bytes(&latencies.to_bytes()), latencies);
        }
    }
}
