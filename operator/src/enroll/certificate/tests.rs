//! Requests and certificates, as other programs make and read them.

use std::io::Write;
use std::process::{Command, Stdio};

use proptest::prelude::*;
use rcgen::{PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519};
use x509_parser::extensions::GeneralName;

use super::*;

fn now() -> Timestamp {
    Timestamp::from_second(Timestamp::now().as_second()).unwrap()
}

fn edge() -> Identity {
    let (collector, node, pod) = ("net/zone1", "node-a", "6b5f");
    Identity::Edge { collector: collector.to_owned(), node: node.to_owned(), pod: pod.to_owned() }
}

/// A request that asks for everything that nobody may ask for.
fn greedy(key: &KeyPair) -> String {
    let mut params = CertificateParams::new(vec!["kubernetes.default.svc".to_owned()]).unwrap();
    params.subject_alt_names.push(SanType::URI("weir://operator".try_into().unwrap()));
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.serialize_request(key).unwrap().pem().unwrap()
}

/// A request made by openssl(1).
fn openssl_request(kind: &[&str]) -> String {
    let key = Command::new("openssl").arg("genpkey").args(kind).output().expect("openssl is installed");
    assert!(key.status.success(), "{}", String::from_utf8_lossy(&key.stderr));
    let mut request = Command::new("openssl")
        .args(["req", "-new", "-key", "/dev/stdin", "-subj", "/CN=whoever"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("openssl is installed");
    request.stdin.take().unwrap().write_all(&key.stdout).unwrap();
    String::from_utf8(request.wait_with_output().unwrap().stdout).unwrap()
}

#[test]
fn of_a_request_only_the_key_counts() {
    let (policy, now) = (Policy::default(), now());
    let signer = fresh_root(&policy, now).unwrap();
    let pair = KeyPair::generate().unwrap();
    let key = requested_key(&greedy(&pair)).unwrap();
    let (pem, until) = issue(&signer, &key, (&edge(), &[]), &policy, now).unwrap();

    let der = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    let (_, leaf) = X509Certificate::from_der(&der).unwrap();
    assert_eq!(leaf.public_key().raw, pair.subject_public_key_info());
    assert!(!leaf.is_ca() && leaf.subject().iter().count() == 0);
    let names = &leaf.subject_alternative_name().unwrap().unwrap().value.general_names;
    assert_eq!(names[..], [GeneralName::URI("weir://net/zone1/edge/node-a/6b5f")]);
    let usage = leaf.extended_key_usage().unwrap().unwrap().value;
    assert!(usage.client_auth && !usage.server_auth);
    assert_eq!(leaf.validity().not_before.timestamp(), (now - policy.clock_skew).as_second());
    assert_eq!(leaf.validity().not_after.timestamp(), until.as_second());
    assert_eq!(until, now + policy.leaf_lifetime);
}

#[test]
fn openssl_finds_that_a_certificate_chains_to_its_root_and_to_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let (policy, now) = (Policy::default(), now());
    let (signer, other) = (fresh_root(&policy, now).unwrap(), fresh_root(&policy, now).unwrap());
    let key = KeyPair::generate().unwrap();
    let names = service_names("zone1-aggregator", "net");
    let identity = Identity::Aggregator { collector: "net/zone1".to_owned(), pod: "77".to_owned() };
    let (leaf, _) = issue(&signer, &key, (&identity, &names), &policy, now).unwrap();
    let file = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).unwrap();
        folder.path().join(name)
    };
    let leaf = file("leaf", &leaf);
    for (root, trusted) in [(&signer, true), (&other, false)] {
        let root = file("root", &root.root.certificate);
        let verified = Command::new("openssl")
            .args(["verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname"])
            .arg("zone1-aggregator.net.svc")
            .arg("-CAfile")
            .args([&root, &leaf])
            .output()
            .expect("openssl is installed");
        assert_eq!(verified.status.success(), trusted, "{}", String::from_utf8_lossy(&verified.stderr));
    }
}

#[test]
fn requests_of_the_allowed_kinds_of_keys_are_read_whoever_made_them() {
    for kind in [&PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P384_SHA384, &PKCS_ED25519] {
        let pair = KeyPair::generate_for(kind).unwrap();
        let key = requested_key(&greedy(&pair)).unwrap();
        assert_eq!(key.subject_public_key_info(), pair.subject_public_key_info());
    }
    let curves = ["ec_paramgen_curve:P-256", "ec_paramgen_curve:P-384"];
    for curve in curves {
        let request = openssl_request(&["-algorithm", "EC", "-pkeyopt", curve]);
        assert!(requested_key(&request).is_ok(), "{curve}");
    }
}

#[test]
fn other_kinds_of_keys_are_refused() {
    let kinds: [&[&str]; 3] = [
        &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
        &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"],
        &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"],
    ];
    for kind in kinds {
        let error = requested_key(&openssl_request(kind)).unwrap_err();
        assert!(matches!(error, RequestError::Key), "{kind:?}: {error}");
    }
}

#[test]
fn a_request_for_somebody_elses_key_is_refused() {
    let (mine, theirs) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let pem = CertificateParams::default().serialize_request(&mine).unwrap();
    let mut der = pem.der().to_vec();
    let at = der.windows(65).position(|part| part == mine.public_key_raw()).unwrap();
    der[at..at + 65].copy_from_slice(theirs.public_key_raw());
    let request = rcgen_pem(&der);
    assert!(matches!(requested_key(&request), Err(RequestError::Signature)));
}

fn rcgen_pem(der: &[u8]) -> String {
    let mut encode = Command::new("openssl")
        .args(["base64"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("openssl is installed");
    encode.stdin.take().unwrap().write_all(der).unwrap();
    let text = String::from_utf8(encode.wait_with_output().unwrap().stdout).unwrap();
    format!("-----BEGIN CERTIFICATE REQUEST-----\n{text}-----END CERTIFICATE REQUEST-----\n")
}

#[test]
fn a_certificate_never_outlives_its_root_and_an_ended_root_signs_nothing() {
    let (policy, born) = (Policy::default(), now());
    let signer = fresh_root(&policy, born).unwrap();
    let key = KeyPair::generate().unwrap();
    let end = signer.root.until;
    let late = end - Duration::from_hours(1);
    assert_eq!(issue(&signer, &key, (&edge(), &[]), &policy, late).unwrap().1, end);
    let ended = issue(&signer, &key, (&edge(), &[]), &policy, end);
    assert!(matches!(ended, Err(SignError::RootEnded(_))));
}

#[test]
fn a_root_with_another_ones_key_is_not_taken() {
    let (policy, now) = (Policy::default(), now());
    let (one, two) = (fresh_root(&policy, now).unwrap(), fresh_root(&policy, now).unwrap());
    let read =
        |key: &Signer| read_signer(one.root.certificate.clone(), key.key.clone(), policy.leaf_lifetime);
    assert_eq!(read(&one).unwrap(), one);
    assert!(matches!(read(&two), Err(RootError::Mismatch)));
    let (leaf, _) = issue(&one, &KeyPair::generate().unwrap(), (&edge(), &[]), &policy, now).unwrap();
    assert!(matches!(read_root(leaf, policy.leaf_lifetime), Err(RootError::NotAnAuthority)));
}

proptest! {
    #[test]
    fn a_damaged_request_is_refused_with_a_word_and_no_panic(at in 0_usize..1000, byte: u8) {
        let pair = KeyPair::generate().unwrap();
        let mut request = greedy(&pair).into_bytes();
        let at = at % request.len();
        request[at] = byte;
        if let Ok(text) = String::from_utf8(request) {
            match requested_key(&text) {
                Ok(key) => prop_assert_eq!(key.subject_public_key_info(), pair.subject_public_key_info()),
                Err(error) => prop_assert!(!error.to_string().is_empty()),
            }
        }
    }

    #[test]
    fn any_text_is_refused_as_a_request(text in ".{0,300}") {
        prop_assert!(requested_key(&text).is_err());
    }
}
