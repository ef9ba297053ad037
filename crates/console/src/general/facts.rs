//! How full the installation is, in the words of the page.

use crate::failure::Failure;
use crate::{Console, text};

/// A certificate that ends within so many days is to be seen to.
const DAYS_LEFT_MIN: u64 = 30;

/// What an operator sees.
pub(super) struct Facts {
    pub(super) listen: String,
    pub(super) data_dir: String,
    pub(super) started_ms: u64,
    pub(super) tls: Tls,
    /// The last position of the log.
    pub(super) head: String,
    pub(super) oldest_ms: Option<u64>,
    pub(super) slices: String,
    pub(super) log: Share,
    pub(super) state_bytes: String,
    pub(super) disk_free: Option<String>,
    /// So little is free that nothing is taken, or soon nothing.
    pub(super) disk_is_low: bool,
    pub(super) disk_floor: String,
    pub(super) active: String,
    pub(super) disabled_by_user: String,
    /// None: no one.
    pub(super) disabled_automatically: Option<String>,
}

/// How the API is encrypted.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Tls {
    /// Not by hitwire.
    No,
    /// With a certificate whose end is not known.
    Unknown,
    /// Until then; `soon`: it is time for a new one.
    Until { at: u64, soon: bool, over: bool },
}

impl Tls {
    pub(super) fn until_ms(&self) -> u64 {
        match self {
            Tls::Until { at, .. } => *at,
            Tls::No | Tls::Unknown => 0,
        }
    }
}

/// A part of what there may be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) bytes: String,
    pub(super) max: String,
    /// 0 to 100.
    pub(super) percent: u64,
}

impl Facts {
    pub(super) async fn read(console: &Console) -> Result<Facts, Failure> {
        let figures = console.store.figures().await?;
        let head = console.store.head().now().0;
        let installation = &console.installation;
        let floor = installation.disk_floor_bytes;
        Ok(Facts {
            listen: installation.listen.clone(),
            data_dir: console.data_dir.display().to_string(),
            started_ms: installation.started_s * 1_000,
            tls: if installation.is_tls {
                tls((installation.certificate_expires_s)(), console.now_s())
            } else {
                Tls::No
            },
            head: text::number(head),
            oldest_ms: figures.oldest_ms,
            slices: text::count(figures.slices, "file", "files"),
            log: share(figures.log_bytes, installation.log_bytes_max),
            state_bytes: text::bytes(figures.state_bytes),
            disk_free: figures.disk_free_bytes.map(text::bytes),
            disk_is_low: figures.disk_free_bytes.is_some_and(|free| free < floor.saturating_mul(2)),
            disk_floor: text::bytes(floor),
            active: text::number(figures.active),
            disabled_by_user: text::number(figures.disabled_by_user),
            disabled_automatically: Some(figures.disabled_automatically)
                .filter(|number| *number > 0)
                .map(text::number),
        })
    }
}

fn tls(expires_s: Option<i64>, now_s: u64) -> Tls {
    let Some(expires_s) = expires_s.and_then(|at| u64::try_from(at).ok()) else { return Tls::Unknown };
    let soon = expires_s < now_s + DAYS_LEFT_MIN * 86_400;
    Tls::Until { at: expires_s * 1_000, soon, over: expires_s <= now_s }
}

fn share(bytes: u64, max: u64) -> Share {
    let percent = (bytes as f64 / max.max(1) as f64 * 100.0).round().min(100.0) as u64;
    Share { bytes: text::bytes(bytes), max: text::bytes(max), percent }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_that_ends_soon_is_seen() {
        let day = 86_400;
        assert_eq!(
            tls(Some(100 * day), 10 * day as u64),
            Tls::Until { at: 8_640_000_000, soon: false, over: false }
        );
        assert_eq!(
            tls(Some(100 * day), 71 * day as u64),
            Tls::Until { at: 8_640_000_000, soon: true, over: false }
        );
        assert_eq!(
            tls(Some(100 * day), 100 * day as u64),
            Tls::Until { at: 8_640_000_000, soon: true, over: true }
        );
        assert_eq!(tls(None, 0), Tls::Unknown);
    }

    #[test]
    fn a_share_is_within_its_whole() {
        assert_eq!(share(512 << 20, 1 << 30).percent, 50);
        assert_eq!(share(2 << 30, 1 << 30).percent, 100);
        assert_eq!(share(1, 0).percent, 100);
    }
}
