//! TLS alerts: their names in the standards, by which other tools and search engines know them, and what they mean.

use rustls::AlertDescription;

/// As RFC 8446 writes it; alerts that no standard names by number.
pub(super) fn name(alert: AlertDescription) -> String {
    let name = match alert {
        AlertDescription::CloseNotify => "close_notify",
        AlertDescription::UnexpectedMessage => "unexpected_message",
        AlertDescription::BadRecordMac => "bad_record_mac",
        AlertDescription::DecryptionFailed => "decryption_failed",
        AlertDescription::RecordOverflow => "record_overflow",
        AlertDescription::DecompressionFailure => "decompression_failure",
        AlertDescription::HandshakeFailure => "handshake_failure",
        AlertDescription::NoCertificate => "no_certificate",
        AlertDescription::BadCertificate => "bad_certificate",
        AlertDescription::UnsupportedCertificate => "unsupported_certificate",
        AlertDescription::CertificateRevoked => "certificate_revoked",
        AlertDescription::CertificateExpired => "certificate_expired",
        AlertDescription::CertificateUnknown => "certificate_unknown",
        AlertDescription::IllegalParameter => "illegal_parameter",
        AlertDescription::UnknownCA => "unknown_ca",
        AlertDescription::AccessDenied => "access_denied",
        AlertDescription::DecodeError => "decode_error",
        AlertDescription::DecryptError => "decrypt_error",
        AlertDescription::ExportRestriction => "export_restriction",
        AlertDescription::ProtocolVersion => "protocol_version",
        AlertDescription::InsufficientSecurity => "insufficient_security",
        AlertDescription::InternalError => "internal_error",
        AlertDescription::InappropriateFallback => "inappropriate_fallback",
        AlertDescription::UserCanceled => "user_canceled",
        AlertDescription::NoRenegotiation => "no_renegotiation",
        AlertDescription::MissingExtension => "missing_extension",
        AlertDescription::UnsupportedExtension => "unsupported_extension",
        AlertDescription::CertificateUnobtainable => "certificate_unobtainable",
        AlertDescription::UnrecognisedName => "unrecognized_name",
        AlertDescription::BadCertificateStatusResponse => "bad_certificate_status_response",
        AlertDescription::BadCertificateHashValue => "bad_certificate_hash_value",
        AlertDescription::UnknownPSKIdentity => "unknown_psk_identity",
        AlertDescription::CertificateRequired => "certificate_required",
        AlertDescription::NoApplicationProtocol => "no_application_protocol",
        AlertDescription::EncryptedClientHelloRequired => "ech_required",
        other => return format!("alert {}", u8::from(other)),
    };
    name.to_owned()
}

/// What it means for the receiver's operator, where its name does not say enough.
pub(super) fn meaning(alert: AlertDescription) -> Option<&'static str> {
    match alert {
        AlertDescription::HandshakeFailure => Some(
            "it found no TLS version, cipher suite or kind of key in common with hitwire (TLS 1.2 or 1.3 with forward secrecy; RSA, ECDSA P-256 or P-384, or Ed25519 are the safe choice for its key), or it wants a client certificate",
        ),
        AlertDescription::UnrecognisedName => Some("it does not serve the host name of the URL"),
        AlertDescription::InternalError => Some("it failed by itself; its own log may say why"),
        AlertDescription::NoApplicationProtocol => Some("it speaks neither HTTP/1.1 nor HTTP/2 on this port"),
        _ => None,
    }
}
