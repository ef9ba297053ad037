//! Ids that are unique over all installations, and of the order in which they were made.

use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use uuid::{ContextV7, Timestamp, Uuid};

/// Keeps ids of one process in order, also where the clock stands still or is set back.
static CONTEXT: Mutex<ContextV7> = Mutex::new(ContextV7::new());

/// A new id (UUID version 7). A clock set before 1970 reads as 1970: the rest of the id, which is random, keeps it unique.
pub fn new_uuid() -> Uuid {
    uuid_at(SystemTime::now())
}

fn uuid_at(now: SystemTime) -> Uuid {
    let since: Duration = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    Uuid::new_v7(Timestamp::from_unix(&CONTEXT, since.as_secs(), since.subsec_nanos()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn any_clock_gives_new_ids() {
        let second = Duration::from_secs(1);
        let year = Duration::from_hours(24 * 365);
        let clocks = [
            UNIX_EPOCH - 70 * year,
            UNIX_EPOCH - Duration::from_nanos(1),
            UNIX_EPOCH,
            UNIX_EPOCH + second,
            UNIX_EPOCH + 20_000 * year,
            UNIX_EPOCH - second,
        ];
        let ids: BTreeSet<Uuid> = clocks.into_iter().cycle().take(600).map(uuid_at).collect();
        assert_eq!(ids.len(), 600);
        assert!(ids.iter().all(|id| id.get_version_num() == 7));
    }

    #[test]
    fn ids_are_in_the_order_in_which_they_were_made() {
        let ids: Vec<Uuid> = (0..1_000).map(|_| new_uuid()).collect();
        assert!(ids.is_sorted());
    }
}
