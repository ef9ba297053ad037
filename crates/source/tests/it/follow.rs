//! Files that grow, are truncated, renamed and replaced, followed on a real file system.

use hitwire_source::follow::{Chunk, FileEvent, Follower, Start, Watch};
use hitwire_source::lines::Oversized;
use proptest::prelude::*;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use tempfile::TempDir;

/// A log in a directory of its own, and what follows it.
struct Scene {
    directory: TempDir,
    follower: Follower,
    /// The checkpoint that the consumer committed last.
    committed: Option<Vec<u8>>,
    line_bytes_max: usize,
}

const PLENTY: usize = 1 << 20;

impl Scene {
    fn new() -> Self {
        Scene::starting(Start::Beginning)
    }

    fn starting(start: Start) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let follower = Follower::open(directory.path().join("audit.log"), None, start).unwrap();
        Scene { directory, follower, committed: None, line_bytes_max: PLENTY }
    }

    fn with_line_bound(mut self, line_bytes_max: usize) -> Self {
        self.line_bytes_max = line_bytes_max;
        self.follower = self.follower.with_line_bound(line_bytes_max);
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn append(&self, text: impl AsRef<[u8]>) {
        self.append_to("audit.log", text);
    }

    fn append_to(&self, name: &str, text: impl AsRef<[u8]>) {
        let mut file = OpenOptions::new().append(true).create(true).open(self.path(name)).unwrap();
        file.write_all(text.as_ref()).unwrap();
    }

    fn truncate(&self) {
        fs::File::create(self.path("audit.log")).unwrap();
    }

    fn copy_truncate(&self, copy: &str) {
        fs::copy(self.path("audit.log"), self.path(copy)).unwrap();
        self.truncate();
    }

    fn rename(&self, to: &str) {
        fs::rename(self.path("audit.log"), self.path(to)).unwrap();
    }

    /// The process ends, and another one goes on from what was committed.
    fn restart(&mut self) {
        let follower = Follower::open(self.path("audit.log"), self.committed.as_deref(), Start::Beginning);
        self.follower = follower.unwrap().with_line_bound(self.line_bytes_max);
    }

    /// Polls once and commits.
    fn poll(&mut self) -> Chunk {
        let chunk = self.follower.poll(PLENTY).unwrap();
        self.committed = Some(chunk.checkpoint.clone());
        chunk
    }

    /// Polls until there is nothing more: the lines, and what happened to the file.
    fn drain(&mut self) -> (Vec<String>, Vec<FileEvent>) {
        let (mut lines, mut events) = (Vec::new(), Vec::new());
        loop {
            let chunk = self.poll();
            lines.extend(chunk.lines.into_iter().map(|(_, line)| String::from_utf8(line).unwrap()));
            events.extend(chunk.events);
            if chunk.caught_up {
                return (lines, events);
            }
        }
    }

    fn lines(&mut self) -> Vec<String> {
        self.drain().0
    }
}

/// Long enough to be told from other lines by its fingerprint.
fn record(n: usize) -> String {
    format!("record {n} of {:0100}", n * n)
}

#[test]
fn appended_lines_come_once_each_with_its_offset() {
    let mut scene = Scene::new();
    scene.append("one\ntwo\n");
    assert_eq!(scene.poll().lines, [(0, b"one".to_vec()), (4, b"two".to_vec())]);
    scene.append("three\n");
    assert_eq!(scene.poll().lines, [(8, b"three".to_vec())]);
    let chunk = scene.poll();
    assert!(chunk.lines.is_empty() && chunk.caught_up && !chunk.moved);
}

#[test]
fn a_file_that_is_not_there_yet_is_waited_for() {
    let mut scene = Scene::new();
    let chunk = scene.poll();
    assert!(chunk.missing && chunk.caught_up && chunk.events.is_empty());
    scene.append("one\n");
    assert_eq!(scene.lines(), ["one"]);
}

#[test]
fn an_unfinished_line_is_waited_for() {
    let mut scene = Scene::new();
    scene.append("one\ntw");
    assert_eq!(scene.lines(), ["one"]);
    scene.restart();
    assert_eq!(scene.lines(), Vec::<String>::new());
    scene.append("o\n");
    assert_eq!(scene.lines(), ["two"]);
}

#[test]
fn bytes_that_are_not_utf8_are_kept() {
    let mut scene = Scene::new();
    scene.append(b"\xff\x00\xfe\r\n\n");
    assert_eq!(scene.poll().lines, [(0, b"\xff\x00\xfe\r".to_vec())]);
}

#[test]
fn a_line_comes_whole_however_little_is_read_at_a_time() {
    let mut scene = Scene::new();
    scene.append(format!("{}\n{}\n", record(1), record(2)));
    let chunk = scene.follower.poll(1).unwrap();
    assert_eq!(chunk.lines.len(), 1);
    assert!(!chunk.caught_up);
    assert_eq!(scene.follower.poll(1).unwrap().lines.len(), 1);
}

#[test]
fn from_the_end_begins_with_the_line_that_is_unfinished() {
    let mut scene = Scene::starting(Start::End);
    scene.append("old\nunfini");
    let chunk = scene.poll();
    assert!(chunk.lines.is_empty() && chunk.moved, "where the end was has to be committed");
    scene.append("shed\nnew\n");
    scene.restart();
    assert_eq!(scene.lines(), ["unfinished", "new"]);
}

#[test]
fn from_the_end_reads_a_file_that_appears_later_from_its_first_line() {
    let mut scene = Scene::starting(Start::End);
    assert!(scene.poll().missing);
    scene.append("new\n");
    assert_eq!(scene.lines(), ["new"]);
}

#[test]
fn a_line_that_is_too_long_is_passed_over_and_told() {
    let mut scene = Scene::new().with_line_bound(10);
    scene.append("0123456789\n");
    scene.append("0123456789a");
    let chunk = scene.poll();
    assert_eq!((chunk.lines.len(), chunk.skipped.len()), (1, 0));
    scene.append("bcdef");
    scene.restart();
    assert!(scene.poll().skipped.is_empty());
    scene.append("g\nnext\n");
    let chunk = scene.poll();
    assert_eq!(chunk.skipped, [Oversized { offset: 11, length: 17 }]);
    assert_eq!(chunk.lines, [(29, b"next".to_vec())]);
}

#[test]
fn a_truncated_file_is_read_from_its_start() {
    let mut scene = Scene::new();
    scene.append(format!("{}\n{}\n", record(1), record(2)));
    scene.drain();
    scene.truncate();
    scene.append(format!("{}\n", record(3)));
    assert_eq!(scene.drain(), (vec![record(3)], vec![FileEvent::Replaced { read_to: 226 }]));
}

#[test]
fn a_file_that_grew_again_past_the_offset_is_known_by_its_content() {
    for restarted in [false, true] {
        let mut scene = Scene::new();
        scene.append(format!("{}\n", record(1)));
        scene.drain();
        scene.truncate();
        scene.append(format!("{}\n{}\n{}\n", record(2), record(3), record(4)));
        if restarted {
            scene.restart();
        }
        assert_eq!(scene.lines(), [record(2), record(3), record(4)]);
    }
}

#[test]
fn what_was_written_before_the_copy_is_read_from_the_copy() {
    for restarted in [false, true] {
        let mut scene = Scene::new();
        scene.append(format!("{}\n", record(1)));
        scene.drain();
        scene.append(format!("{}\n", record(2)));
        scene.copy_truncate("audit.log.1");
        scene.append(format!("{}\n{}\n{}\n", record(3), record(4), record(5)));
        if restarted {
            scene.restart();
        }
        let rotated = FileEvent::Rotated { read_to: 226 };
        assert_eq!(scene.drain(), ((2..=5).map(record).collect(), vec![rotated]));
    }
}

#[test]
fn a_renamed_file_is_read_on_while_there_is_no_new_one() {
    let mut scene = Scene::new();
    scene.append(format!("{}\n", record(1)));
    scene.drain();
    scene.rename("audit.log.1");
    scene.append_to("audit.log.1", format!("{}\n", record(2)));
    assert_eq!(scene.lines(), [record(2)]);
    scene.restart();
    scene.append_to("audit.log.1", format!("{}\n", record(3)));
    assert_eq!(scene.lines(), [record(3)]);
}

#[test]
fn a_renamed_file_is_read_to_its_end_before_its_successor() {
    for restarted in [false, true] {
        let mut scene = Scene::new();
        scene.append(format!("{}\n", record(1)));
        scene.drain();
        scene.append(format!("{}\n", record(2)));
        scene.rename("audit.log.1");
        scene.append(format!("{}\n", record(3)));
        if restarted {
            scene.restart();
        }
        assert_eq!(scene.lines(), [record(2), record(3)]);
    }
}

#[test]
fn a_fragment_at_the_end_of_a_rotated_file_is_told() {
    let mut scene = Scene::new();
    scene.append(format!("{}\nfragm", record(1)));
    scene.drain();
    scene.rename("audit.log.1");
    scene.append(format!("{}\n", record(2)));
    let unfinished = FileEvent::Unfinished { offset: 113, length: 5 };
    assert_eq!(scene.drain(), (vec![record(2)], vec![unfinished, FileEvent::Rotated { read_to: 113 }]));
}

#[test]
fn a_file_that_an_editor_exchanged_for_its_copy_goes_on() {
    let mut scene = Scene::new();
    scene.append(format!("{}\n", record(1)));
    scene.drain();
    fs::copy(scene.path("audit.log"), scene.path("new")).unwrap();
    fs::rename(scene.path("new"), scene.path("audit.log")).unwrap();
    scene.append(format!("{}\n", record(2)));
    assert_eq!(scene.drain(), (vec![record(2)], vec![]));
}

#[test]
fn only_files_are_followed() {
    let mut scene = Scene::new();
    fs::create_dir(scene.path("audit.log")).unwrap();
    let error = scene.follower.poll(PLENTY).unwrap_err();
    assert!(
        error.to_string().ends_with("audit.log is not a regular file: only files can be followed"),
        "{error}"
    );
    fs::remove_dir(scene.path("audit.log")).unwrap();
    scene.append("one\n");
    assert_eq!(scene.lines(), ["one"]);
}

#[test]
fn a_watch_tells_of_new_files_and_of_new_lines() {
    let scene = Scene::new();
    let mut watch = Watch::new(&scene.path("audit.log"));
    for _ in 0..3 {
        scene.append("a line\n");
        // Each wait ends by itself after a while. Within a minute of them one has to be told.
        assert!((0..60).any(|_| watch.wait()), "nothing was told of a change");
    }
}

#[test]
fn a_watch_is_not_woken_by_other_files_nor_by_reading() {
    let scene = Scene::new();
    scene.append("a line\n");
    let mut watch = Watch::new(&scene.path("audit.log"));
    scene.append_to("other.log", "a line\n");
    fs::read(scene.path("audit.log")).unwrap();
    assert!(!watch.wait());
}

#[test]
fn a_waker_ends_the_wait_of_a_watch_that_sees_nothing() {
    let mut watch = Watch::new(&PathBuf::from("/nowhere/at/all"));
    watch.waker().wake();
    assert!(watch.wait());
    assert!(!watch.wait());
}

/// What happens to a log, and to the process that follows it.
#[derive(Clone, Debug)]
enum Step {
    /// So much of the next lines is written, without regard to where they end.
    Write(usize),
    /// The rest of the line under way is written.
    FinishLine,
    /// So much is read, and committed.
    Read(usize),
    /// So much is read, but the process ends before it can commit.
    Crash(usize),
    /// The process ends, and another one begins.
    Restart,
    /// The log is copied and truncated.
    CopyTruncate,
    /// The log is renamed, a new one takes its place.
    Rename,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1usize..400).prop_map(Step::Write),
        2 => Just(Step::FinishLine),
        4 => (1usize..300).prop_map(Step::Read),
        1 => (1usize..300).prop_map(Step::Crash),
        1 => Just(Step::Restart),
        1 => Just(Step::CopyTruncate),
        1 => Just(Step::Rename),
    ]
}

/// A writer of lines that are all different, and a reader that takes down what it committed.
struct Model {
    scene: Scene,
    /// All that will be written, and how much of it was.
    text: Vec<u8>,
    written: usize,
    rotations: usize,
    /// Where in `text` the current file begins.
    file_from: usize,
    taken: Vec<Vec<u8>>,
    skipped: Vec<u64>,
}

impl Model {
    /// A line of `length` bytes, or more if that is too little to be told from the others.
    fn new(lengths: &[usize], line_bytes_max: usize) -> Self {
        let line = |(n, length): (usize, &usize)| format!("{n:05}{}\n", "x".repeat(*length)).into_bytes();
        let text = lengths.iter().enumerate().flat_map(line).collect();
        let scene = Scene::new().with_line_bound(line_bytes_max);
        Model { scene, text, written: 0, rotations: 0, file_from: 0, taken: Vec::new(), skipped: Vec::new() }
    }

    fn write(&mut self, bytes: usize) {
        let to = self.text.len().min(self.written + bytes);
        self.scene.append(&self.text[self.written..to]);
        self.written = to;
    }

    fn finish_line(&mut self) {
        let rest = self.text[self.written..].iter().position(|&byte| byte == b'\n');
        let unfinished = self.written > 0 && self.text[self.written - 1] != b'\n';
        if let Some(rest) = rest.filter(|_| unfinished) {
            self.write(rest + 1);
        }
    }

    fn read(&mut self, bytes: usize) -> bool {
        let chunk = self.scene.follower.poll(bytes).unwrap();
        self.scene.committed = Some(chunk.checkpoint);
        self.taken.extend(chunk.lines.into_iter().map(|(_, line)| line));
        self.skipped.extend(chunk.skipped.iter().map(|line| line.length));
        chunk.caught_up
    }

    /// A file of which nothing was read yet cannot be known again, so it is not rotated away.
    fn rotates(&mut self) -> bool {
        self.finish_line();
        let taken: usize = self.taken.iter().map(|line| line.len() + 1).sum();
        let skipped: u64 = self.skipped.iter().map(|length| length + 1).sum();
        let rotates = taken + skipped as usize > self.file_from;
        if rotates {
            self.rotations += 1;
            self.file_from = self.written;
        }
        rotates
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Write(bytes) => self.write(*bytes),
            Step::FinishLine => self.finish_line(),
            Step::Read(bytes) => {
                self.read(*bytes);
            }
            Step::Crash(bytes) => {
                self.scene.follower.poll(*bytes).unwrap();
                self.scene.restart();
            }
            Step::Restart => self.scene.restart(),
            Step::CopyTruncate => {
                if self.rotates() {
                    self.scene.copy_truncate(&format!("audit.log.{}", self.rotations));
                }
            }
            Step::Rename => {
                if self.rotates() {
                    self.scene.rename(&format!("audit.log.{}", self.rotations));
                    self.scene.append("");
                }
            }
        }
    }
}

proptest! {
    // Each case makes many system calls.
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn each_line_comes_exactly_once_whatever_happens(
        lengths in prop::collection::vec(prop_oneof![0usize..60, 60usize..200], 1..60),
        steps in prop::collection::vec(step(), 0..60),
    ) {
        const LINE_BYTES_MAX: usize = 120;
        let mut model = Model::new(&lengths, LINE_BYTES_MAX);
        for step in &steps {
            model.take(step);
        }
        model.finish_line();
        while !model.read(1_000) {}
        let written = model.text[..model.written].split_inclusive(|&byte| byte == b'\n').map(|line| &line[..line.len() - 1]);
        let (whole, oversized): (Vec<&[u8]>, Vec<&[u8]>) = written.partition(|line| line.len() <= LINE_BYTES_MAX);
        prop_assert_eq!(&model.taken, &whole);
        let oversized: Vec<u64> = oversized.iter().map(|line| line.len() as u64).collect();
        prop_assert_eq!(&model.skipped, &oversized);
    }

    #[test]
    fn a_file_can_be_read_on_from_any_byte(lengths in prop::collection::vec(0usize..60, 1..8)) {
        let mut model = Model::new(&lengths, PLENTY);
        for _ in 0..model.text.len() {
            model.write(1);
            model.scene.restart();
            model.read(PLENTY);
        }
        let lines: Vec<&[u8]> = model.text.split_inclusive(|&byte| byte == b'\n').map(|line| &line[..line.len() - 1]).collect();
        prop_assert_eq!(&model.taken, &lines);
    }
}
