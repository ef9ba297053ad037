//! A disk's side of a trace: what is sure to be there after a power loss, and what may be there.
//!
//! The rules, harsher than any one file system:
//!
//! - Bytes are safe once a sync of their file, begun after they were written, has ended well.
//! - A name (created, renamed, removed) is safe once a sync of its directory has ended well.
//! - Of anything else the disk may hold nothing, or any part: names up to some point in their order, as a journal
//!   keeps them; bytes in any order, torn at sectors or pages, or a length without its bytes.
//! - After a failed sync the writes it should have covered are in doubt for good: a later sync does not save them.

use super::random::Random;
use super::trace::{Change, Trace};
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

/// The files of a directory: name and content. Directories are left out, they follow from the names.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// What a power loss leaves of the writes that were not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unsynced {
    /// Nothing.
    Gone,
    /// Any part.
    Any,
}

/// A disk while a trace is played to it.
pub(crate) struct Disk<'a> {
    trace: &'a Trace,
    next: usize,
    inodes: Vec<Inode>,
    open: HashMap<i32, usize>,
    /// Names as the program sees them.
    names: BTreeMap<String, usize>,
    safe_names: BTreeMap<String, usize>,
    unsafe_names: Vec<(u64, Naming)>,
    namings: u64,
    syncs: HashMap<i64, Sync>,
    doubt: Random,
    /// False: no sync is believed. Shows that the checks can fail.
    syncs_count: bool,
}

#[derive(Default)]
struct Inode {
    directory: bool,
    /// As the program sees it.
    live: Vec<u8>,
    safe: Vec<u8>,
    /// Changes that are not safe yet; the first one has the number `settled`.
    pending: Vec<Pending>,
    settled: u64,
}

#[derive(Clone)]
struct Pending {
    edit: Edit,
    /// Set by a failed sync: whether it reached the disk all the same.
    lost: bool,
}

#[derive(Clone)]
enum Edit {
    Write { at: u64, bytes: Range<usize> },
    Resize(u64),
    Extend(u64),
}

enum Naming {
    Put(String, usize),
    Take(String),
    /// In one step, as every journal does it.
    Move {
        from: String,
        to: String,
        inode: usize,
    },
}

impl Naming {
    fn directory(&self) -> &str {
        let (Naming::Put(name, _) | Naming::Take(name) | Naming::Move { to: name, .. }) = self;
        parent(name)
    }
}

struct Sync {
    inode: usize,
    directory: Option<String>,
    /// Changes with a lower number are safe when it ends.
    covers: u64,
}

impl<'a> Disk<'a> {
    /// An empty data directory. `seed` decides what failed syncs lose.
    pub(crate) fn new(trace: &'a Trace, seed: u64) -> Self {
        let root = Inode { directory: true, ..Inode::default() };
        Disk {
            trace,
            next: 0,
            inodes: vec![root],
            open: HashMap::new(),
            names: BTreeMap::from([(String::new(), 0)]),
            safe_names: BTreeMap::from([(String::new(), 0)]),
            unsafe_names: Vec::new(),
            namings: 0,
            syncs: HashMap::new(),
            doubt: Random::new(seed),
            syncs_count: true,
        }
    }

    /// A disk that never keeps its word: nothing is ever safe.
    pub(crate) fn lying(trace: &'a Trace, seed: u64) -> Self {
        Disk { syncs_count: false, ..Disk::new(trace, seed) }
    }

    /// Plays the first `changes` changes of the trace; never goes back.
    pub(crate) fn play_to(&mut self, changes: usize) {
        while self.next < changes {
            let change = self.trace.changes[self.next].1.clone();
            self.next += 1;
            self.play(change);
        }
    }

    /// The names that the program sees.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(String::as_str)
    }

    /// What the program sees: everything that was written.
    pub(crate) fn live(&self) -> Files {
        self.files(&self.names, |inode| inode.live.clone())
    }

    /// What the disk holds if the power is lost now.
    pub(crate) fn after_power_loss(&self, unsynced: Unsynced, random: &mut Random) -> Files {
        if unsynced == Unsynced::Gone {
            return self.files(&self.safe_names, |inode| inode.safe.clone());
        }
        let mut names = self.safe_names.clone();
        let reached = random.below(self.unsafe_names.len() as u64 + 1) as usize;
        for (_, naming) in &self.unsafe_names[..reached] {
            apply_naming(&mut names, naming);
        }
        self.files(&names, |inode| self.in_part(inode, random))
    }

    fn files(&self, names: &BTreeMap<String, usize>, mut content: impl FnMut(&Inode) -> Vec<u8>) -> Files {
        let is_directory = |name: &str| names.get(name).is_some_and(|inode| self.inodes[*inode].directory);
        names
            .iter()
            .filter(|(name, inode)| !self.inodes[**inode].directory && is_directory(parent(name)))
            .map(|(name, inode)| (name.clone(), content(&self.inodes[*inode])))
            .collect()
    }

    fn play(&mut self, change: Change) {
        match change {
            Change::Open { fd, path, created, truncated, directory } => {
                let inode = self.names.get(&path).copied().unwrap_or_else(|| {
                    assert!(created, "{path} was opened before the trace saw it made");
                    self.make(&path, directory)
                });
                self.open.insert(fd, inode);
                if truncated && !created {
                    self.edit(inode, Edit::Resize(0));
                }
            }
            Change::Write { fd, at, bytes } => self.edit(self.open[&fd], Edit::Write { at, bytes }),
            Change::Truncate { fd, length } => self.edit(self.open[&fd], Edit::Resize(length)),
            Change::Extend { fd, length } => self.edit(self.open[&fd], Edit::Extend(length)),
            Change::SyncBegin { fd, number } => {
                let inode = self.open[&fd];
                let sync = if self.inodes[inode].directory {
                    let name = self.names.iter().find(|(_, of)| **of == inode).map(|(name, _)| name.clone());
                    Sync { inode, directory: name, covers: self.namings }
                } else {
                    let file = &self.inodes[inode];
                    Sync { inode, directory: None, covers: file.settled + file.pending.len() as u64 }
                };
                self.syncs.insert(number, sync);
            }
            Change::SyncEnd { number } => {
                let sync = self.syncs.remove(&number).expect("a sync begins before it ends");
                if self.syncs_count {
                    self.settle(&sync);
                }
            }
            Change::SyncFailed { fd } => {
                let doubt = &mut self.doubt;
                for pending in &mut self.inodes[self.open[&fd]].pending {
                    pending.lost |= doubt.chance(1, 2);
                }
            }
            Change::Close { fd } => {
                self.open.remove(&fd);
            }
            Change::Dup { fd, of } => {
                let inode = self.open[&of];
                self.open.insert(fd, inode);
            }
            Change::Rename { from, to } => {
                assert_eq!(parent(&from), parent(&to), "a rename between directories is not modelled");
                let inode = self.names[&from];
                assert!(!self.inodes[inode].directory, "the rename of a directory is not modelled");
                self.name(Naming::Move { from, to, inode });
            }
            Change::Unlink { path } => self.name(Naming::Take(path)),
            Change::Link { from, to } => self.name(Naming::Put(to, self.names[&from])),
            Change::MakeDirectory { path } => {
                self.make(&path, true);
            }
        }
    }

    fn make(&mut self, path: &str, directory: bool) -> usize {
        self.inodes.push(Inode { directory, ..Inode::default() });
        let inode = self.inodes.len() - 1;
        self.name(Naming::Put(path.to_owned(), inode));
        inode
    }

    fn name(&mut self, naming: Naming) {
        apply_naming(&mut self.names, &naming);
        self.unsafe_names.push((self.namings, naming));
        self.namings += 1;
    }

    fn edit(&mut self, inode: usize, edit: Edit) {
        let file = &mut self.inodes[inode];
        apply(self.trace, &mut file.live, &edit);
        file.pending.push(Pending { edit, lost: false });
    }

    fn settle(&mut self, sync: &Sync) {
        if let Some(directory) = &sync.directory {
            let safe = &mut self.safe_names;
            self.unsafe_names.retain(|(number, naming)| {
                let covered = *number < sync.covers && naming.directory() == directory;
                if covered {
                    apply_naming(safe, naming);
                }
                !covered
            });
            return;
        }
        let file = &mut self.inodes[sync.inode];
        let covered = sync.covers.saturating_sub(file.settled) as usize;
        for pending in file.pending.drain(..covered) {
            if !pending.lost {
                apply(self.trace, &mut file.safe, &pending.edit);
            }
        }
        file.settled = file.settled.max(sync.covers);
    }

    /// A file with some part of what was not synced.
    fn in_part(&self, inode: &Inode, random: &mut Random) -> Vec<u8> {
        let mut content = inode.safe.clone();
        let in_order = random.chance(1, 2);
        let reached = random.below(inode.pending.len() as u64 + 1) as usize;
        for (at, pending) in inode.pending.iter().enumerate() {
            if pending.lost || (in_order && at > reached) || (!in_order && random.chance(1, 3)) {
                continue;
            }
            let torn = if in_order { at == reached } else { random.chance(1, 4) };
            match &pending.edit {
                Edit::Write { at, bytes } if torn => self.tear(&mut content, *at, bytes, random),
                edit => apply(self.trace, &mut content, edit),
            }
        }
        content
    }

    /// Some sectors, or pages, of a write; the length may be there without the bytes.
    fn tear(&self, content: &mut Vec<u8>, at: u64, bytes: &Range<usize>, random: &mut Random) {
        let grain = if random.chance(1, 2) { 512 } else { 4_096 };
        if random.chance(1, 3) {
            apply(self.trace, content, &Edit::Extend(at + bytes.len() as u64));
        }
        let end = at + bytes.len() as u64;
        let mut from = at;
        while from < end {
            let to = ((from / grain + 1) * grain).min(end);
            if random.chance(1, 2) {
                let part = bytes.start + (from - at) as usize..bytes.start + (to - at) as usize;
                apply(self.trace, content, &Edit::Write { at: from, bytes: part });
            }
            from = to;
        }
    }
}

fn parent(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(parent, _)| parent)
}

fn apply_naming(names: &mut BTreeMap<String, usize>, naming: &Naming) {
    match naming {
        Naming::Put(name, inode) => {
            names.insert(name.clone(), *inode);
        }
        Naming::Take(name) => {
            names.remove(name);
        }
        Naming::Move { from, to, inode } => {
            names.remove(from);
            names.insert(to.clone(), *inode);
        }
    }
}

fn apply(trace: &Trace, content: &mut Vec<u8>, edit: &Edit) {
    match edit {
        Edit::Write { at, bytes } => {
            let (from, to) = (*at as usize, *at as usize + bytes.len());
            if content.len() < to {
                content.resize(to, 0);
            }
            content[from..to].copy_from_slice(trace.bytes(bytes));
        }
        Edit::Resize(length) => content.resize(*length as usize, 0),
        Edit::Extend(length) => content.resize(content.len().max(*length as usize), 0),
    }
}
