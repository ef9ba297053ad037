//! An idle integration is data, and little of it.

use super::*;

/// What ten thousand idle integrations may take of memory is 10 MB: each well under 1 KB. Without a batch nothing of the
/// machine lies on the heap but the list of its kinds, for an endpoint that is well; health takes 48 buckets of 16 bytes
/// once the preset `original` has sent something.
#[test]
fn an_idle_machine_is_well_under_a_kilobyte() {
    let size = std::mem::size_of::<Machine>();
    assert!(size <= 800, "{size} bytes");
    let mut run = Run::sending(Preset::Patient);
    run.status(Bulk, 200);
    let machine = &run.machine;
    assert_eq!(machine.commands.capacity() + machine.unsaved.attempts.capacity(), 0);
    assert!(machine.couriers.values().all(|courier| courier.open.capacity() == 0));
    assert!(machine.settings.kinds.capacity() * std::mem::size_of::<Kind>() <= 64);
}
