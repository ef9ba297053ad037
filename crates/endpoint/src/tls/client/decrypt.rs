//! Password-based encryption: PBES2 (RFC 8018) and the older schemes of PKCS#12 (RFC 7292, appendix C).

use super::super::bounds::{ITERATIONS_MAX, SCRYPT_MIB_MAX};
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockDecryptMut, KeyIvInit};
use des::{TdesEde2, TdesEde3};
use pkcs5::AlgorithmIdentifierRef;
use pkcs5::der::asn1::{AnyRef, ObjectIdentifier, OctetStringRef};
use pkcs5::der::referenced::OwnedToRef as _;
use pkcs5::der::{self, Decode as _};
use pkcs5::pbes2::{self, EncryptionScheme, Kdf};
use pkcs12::kdf::{Pkcs12KeyType, derive_key};
use pkcs12::pbe_params::{EncryptedPrivateKeyInfo, Pkcs12PbeParams};
use rc2::Rc2;
use rustls_pki_types::PrivateKeyDer;
use sha1::Sha1;
use zeroize::Zeroizing;

/// How much has been spent.
#[derive(Debug, Default)]
pub(super) struct Costs {
    iterations: u64,
}

impl Costs {
    /// Permission for so many iterations more.
    pub(super) fn spend(&mut self, iterations: u64) -> Result<(), Failure> {
        self.iterations = self.iterations.saturating_add(iterations);
        if self.iterations > ITERATIONS_MAX { Err(Failure::TooCostly) } else { Ok(()) }
    }

    pub(super) fn spend_of(&mut self, kdf: &Kdf<'_>) -> Result<(), Failure> {
        match kdf {
            Kdf::Pbkdf2(params) => self.spend(params.iteration_count.into()),
            Kdf::Scrypt(params) => {
                // RFC 7914: a power of two; the library computes with its logarithm.
                if params.cost_parameter < 2 || !params.cost_parameter.is_power_of_two() {
                    return Err(Failure::Unreadable);
                }
                let blocks = params.cost_parameter.saturating_mul(params.block_size.into());
                if blocks.saturating_mul(128) > SCRYPT_MIB_MAX << 20 {
                    return Err(Failure::TooCostly);
                }
                // Mixing a block of 128 bytes takes about as long as an iteration of a hash.
                self.spend(blocks.saturating_mul(params.parallelization.into()))
            }
            _ => Err(Failure::Unsupported { algorithm: kdf.oid().to_string() }),
        }
    }
}

/// Why nothing was decrypted.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The password is wrong, as far as one can tell.
    Password,
    /// Another way of encryption.
    Unsupported {
        /// Its object identifier.
        algorithm: String,
    },
    /// More than the bounds allow.
    TooCostly,
    /// Not what the specifications say.
    Unreadable,
}

/// A password in both forms in which it is used.
pub(super) struct Password {
    /// PBES2 takes the bytes as they were typed.
    utf8: Zeroizing<String>,
    /// PKCS#12's own schemes take UTF-16 with a final zero.
    utf16: Zeroizing<Vec<u8>>,
}

impl Password {
    pub(super) fn new(password: &str) -> Password {
        let mut utf16 = Zeroizing::new(Vec::with_capacity(password.len() * 2 + 2));
        password.encode_utf16().for_each(|unit| utf16.extend(unit.to_be_bytes()));
        utf16.extend([0, 0]);
        Password { utf8: password.to_owned().into(), utf16 }
    }

    /// No password at all, which PKCS#12 tells apart from an empty one.
    pub(super) fn absent() -> Password {
        Password { utf8: Zeroizing::default(), utf16: Zeroizing::default() }
    }

    pub(super) fn utf16(&self) -> &[u8] {
        &self.utf16
    }
}

pub(super) type Plain = Zeroizing<Vec<u8>>;

/// Decrypts data with a password.
pub(super) fn decrypt(
    algorithm: AlgorithmIdentifierRef<'_>,
    data: &[u8],
    password: &Password,
    costs: &mut Costs,
) -> Result<Plain, Failure> {
    match algorithm.oid {
        pbes2::PBES2_OID => by_pbes2(algorithm, data, password, costs),
        pkcs12::PKCS_12_PBE_WITH_SHAAND3_KEY_TRIPLE_DES_CBC => {
            by_pbes1::<cbc::Decryptor<TdesEde3>>(algorithm, 24, data, password, costs)
        }
        pkcs12::PKCS_12_PBE_WITH_SHAAND2_KEY_TRIPLE_DES_CBC => {
            by_pbes1::<cbc::Decryptor<TdesEde2>>(algorithm, 16, data, password, costs)
        }
        pkcs12::PKCS_12_PBE_WITH_SHAAND128_BIT_RC2_CBC => {
            by_pbes1::<cbc::Decryptor<Rc2>>(algorithm, 16, data, password, costs)
        }
        pkcs12::PKCS_12_PBEWITH_SHAAND40_BIT_RC2_CBC => {
            by_pbes1::<cbc::Decryptor<Rc2>>(algorithm, 5, data, password, costs)
        }
        other => Err(unsupported(other)),
    }
}

/// A private key that was encrypted: PKCS#8. What is something else was decrypted with a wrong password.
pub(super) fn key(plain: &[u8]) -> Result<PrivateKeyDer<'static>, Failure> {
    AnyRef::from_der(plain).map_err(|_| Failure::Password)?;
    Ok(PrivateKeyDer::Pkcs8(plain.to_vec().into()))
}

/// A key in a PKCS#12 file's bag of encrypted keys.
pub(super) fn shrouded_key(
    der: &[u8],
    password: &Password,
    costs: &mut Costs,
) -> Result<PrivateKeyDer<'static>, Failure> {
    let info = EncryptedPrivateKeyInfo::from_der(der).map_err(|_| Failure::Unreadable)?;
    key(&decrypt(info.encryption_algorithm.owned_to_ref(), info.encrypted_data.as_bytes(), password, costs)?)
}

fn unsupported(algorithm: ObjectIdentifier) -> Failure {
    Failure::Unsupported { algorithm: algorithm.to_string() }
}

fn by_pbes2(
    algorithm: AlgorithmIdentifierRef<'_>,
    data: &[u8],
    password: &Password,
    costs: &mut Costs,
) -> Result<Plain, Failure> {
    let params = algorithm.parameters.ok_or(Failure::Unreadable)?;
    let (kdf, encryption) = params
        .sequence(|reader| {
            Ok((AlgorithmIdentifierRef::decode(reader)?, AlgorithmIdentifierRef::decode(reader)?))
        })
        .map_err(|_| Failure::Unreadable)?;
    // The library takes the first eight bytes of it for granted.
    if encryption.oid == pbes2::DES_EDE3_CBC_OID {
        let iv = encryption.parameters.map(AnyRef::decode_as::<OctetStringRef<'_>>);
        if !matches!(iv, Some(Ok(iv)) if iv.as_bytes().len() == 8) {
            return Err(Failure::Unreadable);
        }
    }
    let unknown = |error: der::Error, oid: ObjectIdentifier| match error.kind() {
        der::ErrorKind::OidUnknown { oid } => unsupported(oid),
        _ => unsupported(oid),
    };
    let (kdf_oid, encryption_oid) = (kdf.oid, encryption.oid);
    let kdf = Kdf::try_from(kdf).map_err(|error| unknown(error, kdf_oid))?;
    let encryption =
        EncryptionScheme::try_from(encryption).map_err(|error| unknown(error, encryption_oid))?;
    costs.spend_of(&kdf)?;
    let decrypted = pbes2::Parameters { kdf, encryption }.decrypt(password.utf8.as_bytes(), data);
    decrypted.map(Zeroizing::new).map_err(|error| match error {
        pkcs5::Error::UnsupportedAlgorithm { oid } | pkcs5::Error::AlgorithmParametersInvalid { oid } => {
            unsupported(oid)
        }
        _ => Failure::Password,
    })
}

/// Key and initialization vector come from SHA-1 over and over, as RFC 7292, appendix B.2 says.
fn by_pbes1<C: KeyIvInit + BlockDecryptMut>(
    algorithm: AlgorithmIdentifierRef<'_>,
    key_bytes: usize,
    data: &[u8],
    password: &Password,
    costs: &mut Costs,
) -> Result<Plain, Failure> {
    const IV_BYTES: usize = 8;
    let params = algorithm.parameters.ok_or(Failure::Unreadable)?;
    let params: Pkcs12PbeParams = params.decode_as().map_err(|_| Failure::Unreadable)?;
    // The key takes up to two runs, the vector one.
    costs.spend(u64::try_from(params.iterations).unwrap_or(0).saturating_mul(3))?;
    let derive = |kind, bytes| {
        let salt = params.salt.as_bytes();
        Zeroizing::new(derive_key::<Sha1>(password.utf16(), salt, kind, params.iterations, bytes))
    };
    let (key, iv) = (derive(Pkcs12KeyType::EncryptionKey, key_bytes), derive(Pkcs12KeyType::Iv, IV_BYTES));
    let cipher = C::new_from_slices(&key, &iv).map_err(|_| Failure::Unreadable)?;
    let mut buffer = Zeroizing::new(data.to_vec());
    let bytes = cipher.decrypt_padded_mut::<Pkcs7>(&mut buffer).map_err(|_| Failure::Password)?.len();
    buffer.truncate(bytes);
    Ok(buffer)
}
