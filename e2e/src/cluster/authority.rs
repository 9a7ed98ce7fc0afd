//! The cluster's own certificate authority, and the identities that it signs.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};

/// A certificate and its key, as files.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// Signs what the cluster's programs need to know each other, into one folder.
#[derive(Debug)]
pub(crate) struct Authority {
    folder: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Makes one in a new folder.
    pub(crate) fn create(folder: &Path) -> Self {
        fs::create_dir(folder).expect("the cluster's folder is writable");
        let mut params = named("weir-test-cluster", None);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let key = generate();
        let certificate = params.self_signed(&key).expect("the parameters are complete");
        write(&folder.join("ca.crt"), &certificate.pem());
        Self { folder: folder.to_owned(), issuer: Issuer::new(params, key) }
    }

    /// The file with its own certificate.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.join("ca.crt")
    }

    /// An identity towards the API server: `user`, in `group`.
    pub(crate) fn client(&self, file: &str, user: &str, group: Option<&str>) -> Identity {
        let mut params = named(user, group);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(file, &params)
    }

    /// The API server's own identity.
    pub(crate) fn server(&self, file: &str, names: &[&str], addresses: &[Ipv4Addr]) -> Identity {
        let mut params = named(file, None);
        let name = |name: &&str| SanType::DnsName((*name).try_into().expect("DNS names are ASCII"));
        params.subject_alt_names = names.iter().map(name).collect();
        params.subject_alt_names.extend(addresses.iter().map(|&ip| SanType::IpAddress(IpAddr::V4(ip))));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(file, &params)
    }

    /// The pair of keys for service accounts' tokens; the "certificate" is the public key.
    pub(crate) fn tokens(&self) -> Identity {
        let pair = generate();
        let identity = self.files("service-accounts", "pub");
        write(&identity.certificate, &pair.public_key_pem());
        write(&identity.key, &pair.serialize_pem());
        identity
    }

    fn sign(&self, file: &str, params: &CertificateParams) -> Identity {
        let key = generate();
        let certificate = params.signed_by(&key, &self.issuer).expect("the parameters are complete");
        let identity = self.files(file, "crt");
        write(&identity.certificate, &certificate.pem());
        write(&identity.key, &key.serialize_pem());
        identity
    }

    fn files(&self, file: &str, extension: &str) -> Identity {
        let name = |extension: &str| self.folder.join(format!("{file}.{extension}"));
        Identity { certificate: name(extension), key: name("key") }
    }
}

fn named(common: &str, organization: Option<&str>) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common);
    if let Some(organization) = organization {
        params.distinguished_name.push(DnType::OrganizationName, organization);
    }
    params
}

fn generate() -> KeyPair {
    KeyPair::generate().expect("the machine has random numbers")
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
}
