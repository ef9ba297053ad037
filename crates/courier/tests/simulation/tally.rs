//! How often each thing happened: a simulation that never reaches something proves nothing about it.

use std::fmt;

/// Something worth reaching.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Event,
    Send,
    Resend,
    Probe,
    Crash,
    CrashBetweenCommands,
    Stop,
    SettledWithTheNextBatch,
    Superseded,
    Unreproducible,
    EditOfContent,
    EditOfTransport,
    MovedUnderARequest,
    GivenUpByOriginal,
    GivenUpByPatient,
    GivenUpInBothLanes,
    DisabledGone,
    DisabledNoSuccess,
    DisabledTooManyFailures,
    BothLanesInFlight,
    KeptWaitingByTheRate,
    ManyInFlight,
    SettledOutOfTurn,
    GivenUpAlone,
    WaitOverRestart,
    TriedSmaller,
    Overtaken,
    OutcomeOvertaken,
}

const ALL: [Seen; 28] = [
    Seen::Event,
    Seen::Send,
    Seen::Resend,
    Seen::Probe,
    Seen::Crash,
    Seen::CrashBetweenCommands,
    Seen::Stop,
    Seen::SettledWithTheNextBatch,
    Seen::Superseded,
    Seen::Unreproducible,
    Seen::EditOfContent,
    Seen::EditOfTransport,
    Seen::MovedUnderARequest,
    Seen::GivenUpByOriginal,
    Seen::GivenUpByPatient,
    Seen::GivenUpInBothLanes,
    Seen::DisabledGone,
    Seen::DisabledNoSuccess,
    Seen::DisabledTooManyFailures,
    Seen::BothLanesInFlight,
    Seen::KeptWaitingByTheRate,
    Seen::ManyInFlight,
    Seen::SettledOutOfTurn,
    Seen::GivenUpAlone,
    Seen::WaitOverRestart,
    Seen::TriedSmaller,
    Seen::Overtaken,
    Seen::OutcomeOvertaken,
];

/// How often each was seen, by its place in [`ALL`].
#[derive(Default)]
pub(crate) struct Tally([u64; ALL.len()]);

impl Tally {
    pub(crate) fn saw(&mut self, what: Seen) {
        self.saw_times(what, 1);
    }

    pub(crate) fn saw_if(&mut self, what: Seen, happened: bool) {
        self.saw_times(what, u64::from(happened));
    }

    pub(crate) fn saw_times(&mut self, what: Seen, times: u64) {
        self.0[what as usize] += times;
    }

    pub(crate) fn add(&mut self, other: &Tally) {
        for what in ALL {
            self.saw_times(what, other.0[what as usize]);
        }
    }

    pub(crate) fn assert_that_everything_happened(&self) {
        for what in ALL {
            assert!(self.0[what as usize] > 0, "the simulation never reached {what:?}");
        }
    }
}

impl fmt::Debug for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(ALL.into_iter().map(|what| (what, self.0[what as usize]))).finish()
    }
}
