//! Whether this process has a file descriptor left.

use std::fs::File;
use std::io;

/// EMFILE: the process has as many files open as it may; ENFILE: the system has. The numbers are those of every Unix.
const TOO_MANY_OPEN_FILES: [i32; 2] = [24, 23];

/// This is an error for want of a descriptor.
pub(crate) fn is_shortage(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(|number| TOO_MANY_OPEN_FILES.contains(&number))
}

/// There is none left at this moment.
pub(crate) fn none_left() -> bool {
    File::open("/dev/null").is_err_and(|error| is_shortage(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortage_is_told_from_other_errors() {
        for number in TOO_MANY_OPEN_FILES {
            assert!(is_shortage(&io::Error::from_raw_os_error(number)));
        }
        let refused = io::Error::from_raw_os_error(111);
        assert!(!is_shortage(&refused));
        assert!(!is_shortage(&io::ErrorKind::NotFound.into()));
        assert!(!none_left(), "the tests have some left");
    }
}
