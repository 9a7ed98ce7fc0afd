//! Making certificates (RFC 5280) and reading requests (RFC 2986): pure but for randomness.

use std::time::Duration;

use crds::identity::Identity;
use jiff::Timestamp;
use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PublicKeyData, SanType, SerialNumber, SubjectPublicKeyInfo,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateSigningRequestDer};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::oid_registry::{OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384, OID_SIG_ED25519};
use x509_parser::prelude::{ASN1Time, FromDer, X509Certificate};
use x509_parser::x509::SubjectPublicKeyInfo as Spki;

use super::rotation::{Policy, Root, Signer, later};

/// Why a request is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum RequestError {
    /// No PEM, or not a request.
    #[error(
        "csr is not a PKCS #10 request in PEM (RFC 7468): -----BEGIN CERTIFICATE REQUEST----- is expected: {0}"
    )]
    Unreadable(String),
    /// Keys of other kinds are not signed.
    #[error("the key in csr is of another kind than ECDSA P-256, ECDSA P-384 and Ed25519")]
    Key,
    /// Who asks does not hold the key.
    #[error("the signature of csr is not that of the key in it")]
    Signature,
}

/// A certificate that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// What the library says.
    #[error("cannot make a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// A time that X.509 cannot express.
    #[error("{0} is no time that a certificate can carry")]
    Time(Timestamp),
    /// Every certificate would have ended already.
    #[error("the root ended at {0}: the leader has to publish and use a new one first")]
    RootEnded(Timestamp),
}

/// A root that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RootError {
    /// No certificate in PEM.
    #[error("not a certificate in PEM: {0}")]
    Certificate(String),
    /// It may not sign.
    #[error("the certificate is not a CA's")]
    NotAnAuthority,
    /// No key in PEM.
    #[error("not a private key in PEM (PKCS #8): {0}")]
    Key(rcgen::Error),
    /// The key of another certificate.
    #[error("the private key is not that of the certificate")]
    Mismatch,
}

/// The key for which a request asks. Everything else in the request is ignored.
///
/// # Errors
/// Says what is wrong with the request.
pub(super) fn requested_key(csr: &str) -> Result<SubjectPublicKeyInfo, RequestError> {
    let unreadable = |error: &dyn ToString| RequestError::Unreadable(error.to_string());
    let der = CertificateSigningRequestDer::from_pem_slice(csr.as_bytes()).map_err(|e| unreadable(&e))?;
    let (_, request) = X509CertificationRequest::from_der(&der).map_err(|e| unreadable(&e))?;
    let key = &request.certification_request_info.subject_pki;
    if !is_allowed(key) {
        return Err(RequestError::Key);
    }
    request.verify_signature().map_err(|_| RequestError::Signature)?;
    SubjectPublicKeyInfo::from_der(key.raw).map_err(|_| RequestError::Key)
}

fn is_allowed(key: &Spki) -> bool {
    let curve = key.algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
    let elliptic = key.algorithm.algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY
        && curve.is_some_and(|curve| curve == OID_EC_P256 || curve == OID_NIST_EC_P384);
    elliptic || key.algorithm.algorithm == OID_SIG_ED25519
}

/// A certificate for `identity`, as PEM, with the time at which it ends.
///
/// # Errors
/// When the root has ended.
pub(super) fn issue(
    signer: &Signer,
    key: &impl PublicKeyData,
    (identity, names): (&Identity, &[String]),
    policy: &Policy,
    now: Timestamp,
) -> Result<(String, Timestamp), SignError> {
    let until = signer.root.leaf_until(policy, now);
    if until <= now {
        return Err(SignError::RootEnded(signer.root.until));
    }
    let mut params = parameters(now - policy.clock_skew, until)?;
    params.subject_alt_names.push(SanType::URI(Ia5String::try_from(identity.to_string())?));
    for name in names {
        params.subject_alt_names.push(SanType::DnsName(Ia5String::try_from(name.as_str())?));
    }
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = usages(identity);
    params.use_authority_key_identifier_extension = true;
    let issuer = Issuer::from_ca_cert_pem(&signer.root.certificate, KeyPair::from_pem(&signer.key)?)?;
    Ok((params.signed_by(key, &issuer)?.pem(), until))
}

/// Edges ask, aggregators answer; the operator does both.
fn usages(identity: &Identity) -> Vec<ExtendedKeyUsagePurpose> {
    match identity {
        Identity::Edge { .. } => vec![ExtendedKeyUsagePurpose::ClientAuth],
        Identity::Aggregator { .. } => vec![ExtendedKeyUsagePurpose::ServerAuth],
        Identity::Operator => vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth],
    }
}

/// The names under which a Service is reached from its own namespace and from others.
pub(super) fn service_names(service: &str, namespace: &str) -> Vec<String> {
    ["", ".svc", ".svc.cluster.local"]
        .iter()
        .map(|suffix| format!("{service}.{namespace}{suffix}"))
        .chain([service.to_owned()])
        .collect()
}

/// A new root.
///
/// # Errors
/// When the lifetimes lead out of the calendar.
pub(super) fn fresh_root(policy: &Policy, now: Timestamp) -> Result<Signer, SignError> {
    let key = KeyPair::generate()?;
    let (from, until) = (now - policy.clock_skew, later(now, policy.ca_lifetime));
    let mut params = parameters(from, until)?;
    // A name of its own: two roots of one name make a verifier try both keys.
    params.distinguished_name.push(DnType::CommonName, format!("Weir CA {:08x}", rand::random::<u32>()));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let certificate = params.self_signed(&key)?.pem();
    let root = Root { certificate, from, until, longest_leaf: policy.leaf_lifetime };
    Ok(Signer { root, key: key.serialize_pem() })
}

/// An empty subject (the SAN says who), a random serial and a validity.
fn parameters(from: Timestamp, until: Timestamp) -> Result<CertificateParams, SignError> {
    let time = |at: Timestamp| {
        let time = ASN1Time::from_timestamp(at.as_second()).map_err(|_| SignError::Time(at))?;
        Ok::<_, SignError>(time.to_datetime())
    };
    // The top bit stays clear: a serial is a positive INTEGER.
    let serial = (rand::random::<u128>() >> 1).to_be_bytes();
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    (params.not_before, params.not_after) = (time(from)?, time(until)?);
    Ok(params)
}

/// Reads a root back.
///
/// # Errors
/// When it is no certificate of a CA.
pub(super) fn read_root(certificate: String, longest_leaf: Duration) -> Result<Root, RootError> {
    let broken = |error: &dyn ToString| RootError::Certificate(error.to_string());
    let der = CertificateDer::from_pem_slice(certificate.as_bytes()).map_err(|e| broken(&e))?;
    let (_, parsed) = X509Certificate::from_der(&der).map_err(|e| broken(&e))?;
    if !parsed.is_ca() {
        return Err(RootError::NotAnAuthority);
    }
    let at = |time: ASN1Time| Timestamp::from_second(time.timestamp()).map_err(|e| broken(&e));
    let (from, until) = (at(parsed.validity().not_before)?, at(parsed.validity().not_after)?);
    Ok(Root { certificate, from, until, longest_leaf })
}

/// Reads a root with its key back.
///
/// # Errors
/// Also when the key is another one's.
pub(super) fn read_signer(
    certificate: String,
    key: String,
    longest_leaf: Duration,
) -> Result<Signer, RootError> {
    let root = read_root(certificate, longest_leaf)?;
    let pair = KeyPair::from_pem(&key).map_err(RootError::Key)?;
    let broken = |error: &dyn ToString| RootError::Certificate(error.to_string());
    let der = CertificateDer::from_pem_slice(root.certificate.as_bytes()).map_err(|e| broken(&e))?;
    let (_, parsed) = X509Certificate::from_der(&der).map_err(|e| broken(&e))?;
    if parsed.public_key().raw != pair.subject_public_key_info() {
        return Err(RootError::Mismatch);
    }
    Ok(Signer { root, key })
}

#[cfg(test)]
mod tests;
