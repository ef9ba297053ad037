use super::*;
use futures::poll_once;
use proptest::prelude::*;
use std::pin::{Pin, pin};

/// Polls once, without a runtime that would wake it.
mod futures {
    use std::future::Future;
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};

    pub(super) fn poll_once<F: Future + ?Sized>(future: Pin<&mut F>) -> Option<F::Output> {
        match future.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        }
    }
}

fn shares(total: usize) -> Shares<u32> {
    Shares::new("places", total)
}

/// As many single units as the holder gets.
fn hog(shares: &Shares<u32>, holder: u32) -> Vec<Share<u32>> {
    std::iter::from_fn(|| shares.try_take(holder, 1).ok()).collect()
}

#[test]
fn a_holder_has_at_most_half_and_a_newcomer_finds_room() {
    let shares = shares(100);
    let first = hog(&shares, 1);
    assert_eq!(first.len(), 50);
    assert_eq!(shares.refusals(), 1);
    let second = hog(&shares, 2);
    assert_eq!(second.len(), 25, "as much as is left");
    let third = hog(&shares, 3);
    assert_eq!(third.len(), 12);
    assert_eq!(shares.used(), 87);
    drop((first, second, third));
    assert_eq!(shares.used(), 0);
    assert!(shares.0.state().held.is_empty(), "nothing is kept of holders that hold nothing");
}

#[test]
fn who_has_nothing_gets_what_is_free_and_one_unit_is_enough_for_one() {
    let one = shares(1);
    let held = one.try_take(1, 1).expect("free");
    assert_eq!(one.try_take(2, 1).map(drop), Err(UsedUp::All));
    drop(held);
    let large = shares(10);
    let all = large.try_take(1, 99).expect("as many as there are");
    assert_eq!((all.units(), large.used()), (10, 10));
}

#[test]
fn a_fixed_bound_holds_beside_the_rule() {
    let shares = Shares::with_each("streams", 100, 3);
    assert_eq!(hog(&shares, 1).len(), 3);
}

#[test]
fn who_is_exempt_is_bounded_by_what_there_is_alone() {
    let shares = shares(10);
    let take = || poll_once(pin!(shares.take_exempt(1, 1)));
    let mut exempt: Vec<_> = std::iter::from_fn(take).collect();
    assert_eq!(exempt.len(), 10);
    let mut waits = pin!(shares.take_exempt(1, 1));
    assert!(poll_once(waits.as_mut()).is_none());
    exempt.pop();
    assert!(poll_once(waits.as_mut()).is_some());
    drop(exempt);
    assert_eq!(shares.used(), 0);
}

#[test]
fn those_who_wait_are_served_in_turn_and_not_in_the_order_of_their_requests() {
    let shares = shares(4);
    let mut held = vec![shares.try_take(9, 4).expect("free")];
    let mut of_first: Vec<_> = (0..100).map(|_| Box::pin(shares.take(1, 1))).collect();
    for future in &mut of_first {
        assert!(poll_once(future.as_mut()).is_none());
    }
    let mut of_second = pin!(shares.take(2, 1));
    assert!(poll_once(of_second.as_mut()).is_none());
    held.clear();
    let second = poll_once(of_second.as_mut()).expect("a hundred requests of another delay it by one");
    let first: Vec<_> = of_first.iter_mut().filter_map(|future| poll_once(future.as_mut())).collect();
    assert_eq!(
        (first.len(), second.units()),
        (1, 1),
        "a second one would leave less than the first holder has"
    );
}

#[test]
fn a_large_request_is_not_passed_by_small_ones_for_ever() {
    let shares = shares(10);
    let small: Vec<_> = (1..=10).map(|holder| shares.try_take(holder, 1).expect("free")).collect();
    let mut large = pin!(shares.take(100, 8));
    assert!(poll_once(large.as_mut()).is_none());
    for (served, holder) in small.into_iter().zip(200..) {
        drop(served);
        let Some(share) = poll_once(large.as_mut()) else {
            assert_eq!(
                shares.try_take(holder, 1).map(drop),
                Err(UsedUp::All),
                "what is given back is kept for it"
            );
            continue;
        };
        assert_eq!(share.units(), 8);
        return;
    }
    panic!("never served");
}

#[test]
fn who_leaves_the_queue_takes_nothing_along_and_holds_up_nobody() {
    let shares = shares(10);
    let held = shares.try_take(1, 8).expect("free");
    {
        let mut large = pin!(shares.take(2, 10));
        assert!(poll_once(large.as_mut()).is_none());
        assert_eq!(shares.try_take(3, 1).map(drop), Err(UsedUp::All));
    }
    let small = shares.try_take(3, 1).expect("nobody waits any more");
    let mut queued = Box::pin(shares.take(2, 5));
    assert!(poll_once(queued.as_mut()).is_none());
    drop(held);
    // It was served, and goes without having looked.
    drop(queued);
    drop(small);
    assert_eq!(shares.used(), 0);
    assert!(shares.0.state().waiting.is_empty() && shares.0.state().turns.is_empty());
}

#[test]
fn merged_shares_are_given_back_together() {
    let shares = shares(10);
    let mut share = shares.try_take(1, 2).expect("free");
    share.merge(shares.try_take(1, 3).expect("free"));
    assert_eq!((share.units(), shares.used()), (5, 5));
    drop(share);
    assert_eq!(shares.used(), 0);
}

#[test]
fn a_holder_that_has_its_share_does_not_keep_the_further_requests_of_another_waiting() {
    let shares = shares(20);
    let (_own, other) = (shares.try_take(1, 10).expect("free"), shares.try_take(2, 10).expect("free"));
    let mut has_its_share = pin!(shares.take(1, 1));
    let mut others: Vec<_> = (0..4).map(|_| Box::pin(shares.take(3, 1))).collect();
    assert!(poll_once(has_its_share.as_mut()).is_none());
    assert!(others.iter_mut().all(|waiting| poll_once(waiting.as_mut()).is_none()));
    drop(other);
    assert!(poll_once(has_its_share.as_mut()).is_none(), "it has half of all");
    let served: Vec<_> = others.iter_mut().map(|waiting| poll_once(waiting.as_mut())).collect();
    assert!(served.iter().all(Option::is_some), "10 were free, of which the four want 4");
}

#[derive(Clone, Debug)]
enum Step {
    Try(u32, usize),
    Wait(u32, usize),
    GiveBack(usize),
    Leave(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let (holder, units) = (0_u32..5, 1_usize..8);
    prop_oneof![
        (holder.clone(), units.clone()).prop_map(|(holder, units)| Step::Try(holder, units)),
        (holder, units).prop_map(|(holder, units)| Step::Wait(holder, units)),
        (0_usize..64).prop_map(Step::GiveBack),
        (0_usize..64).prop_map(Step::Leave),
    ]
}

proptest! {
    #[test]
    fn nothing_is_lost_or_handed_out_twice_and_everybody_who_waits_is_served(
        steps in prop::collection::vec(step(), 0..200),
        total in 1_usize..30,
    ) {
        let shares = shares(total);
        let mut held: Vec<Share<u32>> = Vec::new();
        let mut waiting: Vec<Pin<Box<dyn Future<Output = Share<u32>>>>> = Vec::new();
        for step in steps {
            match step {
                Step::Try(holder, units) => held.extend(shares.try_take(holder, units)),
                Step::Wait(holder, units) => {
                    let shares = shares.clone();
                    waiting.push(Box::pin(async move { shares.take(holder, units).await }));
                }
                Step::GiveBack(at) if !held.is_empty() => drop(held.swap_remove(at % held.len())),
                Step::Leave(at) if !waiting.is_empty() => drop(waiting.swap_remove(at % waiting.len())),
                Step::GiveBack(_) | Step::Leave(_) => {}
            }
            waiting.retain_mut(|future| match poll_once(future.as_mut()) {
                Some(share) => { held.push(share); false }
                None => true,
            });
            prop_assert_eq!(shares.used(), held.iter().map(Share::units).sum::<usize>());
            prop_assert!(shares.used() <= total);
        }
        while !waiting.is_empty() {
            prop_assert!(!held.is_empty(), "somebody waits for what is free");
            held.pop();
            waiting.retain_mut(|future| match poll_once(future.as_mut()) {
                Some(share) => { held.push(share); false }
                None => true,
            });
        }
        drop(held);
        prop_assert_eq!(shares.used(), 0);
    }
}

#[tokio::test]
async fn holders_get_a_lock_in_turn() {
    let turns = std::sync::Arc::new(Turns::new("changes"));
    let first = turns.wait(1).await;
    let (said, mut heard) = tokio::sync::mpsc::unbounded_channel();
    for (request, holder) in [1, 1, 1, 1, 2].into_iter().enumerate() {
        let (turns, said) = (std::sync::Arc::clone(&turns), said.clone());
        tokio::spawn(async move {
            let _turn = turns.wait(holder).await;
            said.send((request, holder)).expect("heard");
        });
        tokio::task::yield_now().await;
    }
    drop((first, said));
    let mut order = Vec::new();
    while let Some((_, holder)) = heard.recv().await {
        order.push(holder);
    }
    assert_eq!(order, [2, 1, 1, 1, 1]);
}
