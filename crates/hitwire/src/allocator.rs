//! The memory allocator of a server.
//!
//! glibc's gives each thread that allocates while others do an arena of its own, up to eight for each core, and keeps in each
//! what was freed there; after a load a third of the memory of hitwire is such remains. It takes other settings from the
//! environment alone, once, before the program begins (its other way is a C function, and hitwire has no unsafe code). So a
//! server that finds none there starts itself again with some, in the same process: it takes a millisecond.

#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) use glibc::set_up;

/// Other allocators stay as they are.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn set_up() {}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod glibc {
    use std::env;
    use std::os::unix::process::CommandExt as _;
    use std::process::Command;

    /// Two arenas, as two threads work most of the time. What is larger than 1 MiB is taken from the system and given back to it,
    /// and so is 1 MiB that is free at an arena's end; by themselves both bounds grow with the largest piece that is ever freed.
    const SETTINGS: [(&str, &str); 3] = [
        ("MALLOC_ARENA_MAX", "2"),
        ("MALLOC_MMAP_THRESHOLD_", "1048576"),
        ("MALLOC_TRIM_THRESHOLD_", "1048576"),
    ];

    /// Where else somebody may have set it up.
    const TUNABLES: &str = "GLIBC_TUNABLES";

    /// Starts the program again with settings, unless the environment has some already.
    pub(crate) fn set_up() {
        let mut names = SETTINGS.iter().map(|(name, _)| *name).chain([TUNABLES]);
        if names.any(|name| env::var_os(name).is_some()) {
            return;
        }
        let (Ok(program), mut arguments) = (env::current_exe(), env::args_os()) else { return };
        let mut again = Command::new(program);
        if let Some(name) = arguments.next() {
            again.arg0(name);
        }
        // It returns only if the system refuses; then hitwire takes more memory, and works.
        let _ = again.args(arguments).envs(SETTINGS).exec();
    }
}
