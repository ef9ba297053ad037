//! What a certificate is made of, read without asking that it keep any rule: of whatever version, with whatever extensions.
//! That is all that a pinned certificate is asked, and what keys are compared by.

use super::der::{BIT_STRING, CONTEXT_0, INTEGER, Reader, SEQUENCE};
use super::key::PublicKey;

/// The parts of a certificate, borrowed from its DER.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outline<'a> {
    /// What its issuer signed.
    pub(super) signed: &'a [u8],
    /// By which algorithm: the contents of the `AlgorithmIdentifier`.
    pub(super) algorithm: &'a [u8],
    pub(super) signature: &'a [u8],
    /// The contents of the name.
    pub(super) issuer: &'a [u8],
    /// The contents of the name.
    pub(super) subject: &'a [u8],
    pub(super) key: PublicKey<'a>,
    /// How many bytes of the input are the certificate's; others may follow.
    pub(super) bytes: usize,
}

impl<'a> Outline<'a> {
    /// Reads a certificate; none if it is no such thing. Extensions are not looked at.
    pub(super) fn of(der: &'a [u8]) -> Option<Outline<'a>> {
        let certificate = Reader::new(der).expect(SEQUENCE)?;
        let mut outer = Reader::new(certificate.contents);
        let signed = outer.expect(SEQUENCE)?;
        let algorithm = outer.expect(SEQUENCE)?.contents;
        let (_unused_bits, signature) = outer.expect(BIT_STRING)?.contents.split_first()?;
        let mut inner = Reader::new(signed.contents);
        let mut serial = inner.next()?;
        // Version 1 is the one that is not written.
        if serial.tag == CONTEXT_0 {
            serial = inner.next()?;
        }
        (serial.tag == INTEGER).then_some(())?;
        inner.expect(SEQUENCE)?; // the algorithm again
        let issuer = inner.expect(SEQUENCE)?.contents;
        inner.expect(SEQUENCE)?; // validity
        let subject = inner.expect(SEQUENCE)?.contents;
        let key = PublicKey::read(inner.expect(SEQUENCE)?.contents)?;
        let bytes = certificate.whole.len();
        Some(Outline { signed: signed.whole, algorithm, signature, issuer, subject, key, bytes })
    }
}
