//! What the key of a client certificate may cost: whoever sets up an integration chooses it.

/// The longest password, in bytes.
pub const PASSWORD_BYTES_MAX: usize = 1024;

/// What deriving keys from the passwords of one identity may cost, in iterations of a hash: a second or two. Common tools
/// use from 1 (old PKCS#12) over 2,048 (OpenSSL) to 600,000, which is what is recommended today. Whoever may set up an
/// integration chooses these figures, and must not be able to occupy a processor for minutes with them.
pub(crate) const ITERATIONS_MAX: u64 = 2_000_000;

/// The most memory that scrypt may take, in MiB. OpenSSL's own default takes 16.
pub(crate) const SCRYPT_MIB_MAX: u64 = 64;
