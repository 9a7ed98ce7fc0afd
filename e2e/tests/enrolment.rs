//! Certificates on a real control plane: who gets one, for whom, and what becomes of the root.

#[path = "enrolment/forge.rs"]
mod forge;
#[path = "enrolment/site.rs"]
mod site;

use std::sync::Arc;
use std::time::Duration;

use crds::enroll::AUDIENCE;
use crds::fleet::Running;
use crds::identity::Identity;
use e2e::deadline::eventually;
use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use operator::enroll::{Fleet, Phase, Policy, Step};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use serde_json::json;
use site::{Enrolled, NODES, PATIENCE, Site, pod_spec};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// URI and DNS names of a certificate.
fn names(enrolled: &Enrolled) -> (Identity, Vec<String>) {
    let der = CertificateDer::from_pem_slice(enrolled.answer.chain.as_bytes()).expect("it works");
    let (_, leaf) = X509Certificate::from_der(&der).expect("it works");
    let names = leaf.subject_alternative_name().expect("it works").expect("it works").value;
    let (mut uris, mut dns) = (Vec::new(), Vec::new());
    for name in &names.general_names {
        match name {
            GeneralName::URI(uri) => uris.push((*uri).to_owned()),
            GeneralName::DNSName(name) => dns.push((*name).to_owned()),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(uris.len(), 1, "{uris:?}");
    dns.sort();
    (uris[0].parse().expect("it works"), dns)
}

fn edge(site: &Site, node: &str, pod: &Pod) -> Identity {
    let (collector, pod) = (format!("{}/zone1", site.namespace), pod.uid().expect("it works"));
    Identity::Edge { collector, node: node.to_owned(), pod }
}

#[tokio::test]
async fn each_nodes_token_gives_that_nodes_identity_whatever_the_request_says() {
    let site = Site::new("identity").await;
    let start = site.cluster.audit().mark();
    let port = site.open().await;
    for node in NODES {
        let pod = site.pod("zone1-edge", Some(node)).await;
        let enrolled = port.enrol(&site.token(&pod, AUDIENCE).await).await;
        assert_eq!(
            names(&enrolled),
            (edge(&site, node, &pod), vec![]),
            "no operator, no DNS name, no other node"
        );
        assert_eq!(enrolled.answer.bundle, port.authority.bundle().borrow().pem);
    }
    assert_eq!(site.writes(start), ["create secrets"], "the CA's, and nothing else");
}

#[tokio::test]
async fn an_aggregator_is_its_service_and_an_edge_of_the_collector_talks_to_it() {
    let site = Site::new("mutual").await;
    let port = site.open().await;
    let pod = site.pod("zone1-aggregator", None).await;
    let aggregator = port.enrol(&site.token(&pod, AUDIENCE).await).await;
    let service = format!("zone1-aggregator.{}", site.namespace);
    let (identity, dns) = names(&aggregator);
    assert_eq!(
        identity.to_string(),
        format!("weir://{}/zone1/aggregator/{}", site.namespace, pod.uid().expect("it works"))
    );
    let wanted = ["", ".svc", ".svc.cluster.local"].map(|suffix| format!("{service}{suffix}"));
    assert_eq!(dns, [&["zone1-aggregator".to_owned()], &wanted[..]].concat());

    let edge = port.enrol(&site.edge_token("node-a").await).await;
    let name = format!("{service}.svc");
    assert!(handshake(&aggregator, &name, Some(&edge)).await, "edge and aggregator");
    assert!(!handshake(&aggregator, &name, None).await, "a client without a certificate");
    assert!(!handshake(&aggregator, &name, Some(&aggregator)).await, "an aggregator is nobody's client");
    assert!(!handshake(&edge, &name, Some(&edge)).await, "an edge is no server");
    assert!(
        !handshake(&aggregator, "zone1-aggregator.other.svc", Some(&edge)).await,
        "another namespace's name"
    );

    let other = Site::new("other").await;
    let stranger = other.open().await.enrol(&other.edge_token("node-a").await).await;
    assert!(!handshake(&aggregator, &name, Some(&stranger)).await, "an edge of another installation");
}

fn roots(enrolled: &Enrolled) -> Arc<RootCertStore> {
    let mut store = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(enrolled.answer.bundle.as_bytes()) {
        store.add(root.expect("it works")).expect("it works");
    }
    Arc::new(store)
}

fn credentials(enrolled: &Enrolled) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let chain = CertificateDer::from_pem_slice(enrolled.answer.chain.as_bytes()).expect("it works");
    (vec![chain], PrivateKeyDer::Pkcs8(enrolled.key.serialize_der().into()))
}

/// Whether `server` and `client` accept each other as rustls judges it.
async fn handshake(server: &Enrolled, name: &str, client: Option<&Enrolled>) -> bool {
    let verifier = WebPkiClientVerifier::builder(roots(server)).build().expect("it works");
    let (chain, key) = credentials(server);
    let accepting = ServerConfig::builder()
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .expect("it works");
    let asking = ClientConfig::builder().with_root_certificates(roots(client.unwrap_or(server)));
    let asking = match client.map(credentials) {
        Some((chain, key)) => asking.with_client_auth_cert(chain, key).expect("it works"),
        None => asking.with_no_client_auth(),
    };
    let (here, there) = tokio::io::duplex(16 << 10);
    let name = ServerName::try_from(name.to_owned()).expect("it works");
    let accept = TlsAcceptor::from(Arc::new(accepting)).accept(here);
    let connect = TlsConnector::from(Arc::new(asking)).connect(name, there);
    let (accepted, connected) = tokio::join!(accept, connect);
    accepted.is_ok() && connected.is_ok()
}

#[tokio::test]
async fn tokens_for_others_ended_tokens_and_forged_ones_are_refused() {
    let site = Site::new("tokens").await;
    let port = site.open().await;
    let pod = site.pod("zone1-edge", Some("node-a")).await;
    let other = site.token(&pod, "https://kubernetes.default.svc.cluster.local").await;
    port.assert_refused(&other, &[401], "audience weir-enroll").await;
    let unbound = site.account_token("zone1-edge", AUDIENCE, None).await;
    port.assert_refused(&unbound, &[401], "names no pod").await;
    port.assert_refused("no.token.atall", &[401], "audience weir-enroll").await;

    let good = site.token(&pod, AUDIENCE).await;
    let anew = |seconds: i64| {
        let until = Timestamp::now().as_second() + seconds;
        forge::sign_anew(&good, site.cluster.folder(), |claims| {
            claims["exp"] = json!(until);
            claims["iat"] = json!(until - 600);
            claims["nbf"] = json!(until - 600);
        })
    };
    port.enrol(&anew(300)).await;
    port.assert_refused(&anew(-60), &[401], "expired").await;
    let mut forged = anew(300);
    let last = if forged.ends_with('A') { "Q" } else { "A" };
    forged.replace_range(forged.len() - 10..forged.len() - 9, last);
    port.assert_refused(&forged, &[401], "audience weir-enroll").await;
}

#[tokio::test]
async fn a_node_cannot_be_claimed_by_signing_for_another_ones_pod() {
    let site = Site::new("claim").await;
    let port = site.open().await;
    let token = site.edge_token("node-a").await;
    // Whoever held even the cluster's key and wrote another node into a token is not believed: the pod is elsewhere.
    let as_b = forge::sign_anew(&token, site.cluster.folder(), |claims| {
        claims["kubernetes.io"]["node"] = json!({"name": "node-b"});
    });
    port.assert_refused(&as_b, &[401, 403], "").await;
}

#[tokio::test]
async fn a_deleted_pods_token_is_worth_nothing() {
    let site = Site::new("deleted").await;
    let port = site.open().await;
    let pod = site.pod("zone1-edge", Some("node-a")).await;
    let token = site.token(&pod, AUDIENCE).await;
    port.enrol(&token).await;
    let pods = Api::<Pod>::namespaced(site.client.clone(), &site.namespace);
    pods.delete(&pod.name_any(), &DeleteParams::default().grace_period(0)).await.expect("it works");
    let gone = async || pods.get_opt(&pod.name_any()).await.expect("it works").is_none().then_some(());
    eventually("the pod is gone", PATIENCE, gone).await;
    // The API server remembers its word on a token for ten seconds: then our own look finds no pod.
    port.assert_refused(&token, &[401, 403], "").await;
}

#[tokio::test]
async fn pods_that_are_not_the_collectors_are_refused() {
    let site = Site::new("foreign").await;
    let port = site.open().await;
    let place = |name: &str, account: &str| {
        let mut spec = pod_spec(account);
        spec["nodeName"] = json!("node-a");
        json!({"metadata": {"name": name}, "spec": spec})
    };
    let stranger: Pod = site.create(&site.namespace, place("stranger", "default")).await;
    let token = site.token(&stranger, AUDIENCE).await;
    port.assert_refused(&token, &[403], "that of no FlowCollector").await;
    let guest: Pod = site.create(&site.namespace, place("guest", "zone1-edge")).await;
    let token = site.token(&guest, AUDIENCE).await;
    port.assert_refused(&token, &[403], "DaemonSet zone1-edge").await;
}

#[tokio::test]
async fn two_replicas_that_start_at_once_sign_with_one_root() {
    let site = Site::new("replicas").await;
    let (one, two) = tokio::join!(site.open(), site.open());
    assert_eq!(*one.authority.bundle().borrow(), *two.authority.bundle().borrow());
    let (a, b) = tokio::join!(site.edge_token("node-a"), site.edge_token("node-b"));
    let (a, b) = (one.enrol(&a).await, two.enrol(&b).await);
    assert_eq!((&a.answer.root, &a.answer.bundle), (&b.answer.root, &b.answer.bundle));
}

#[tokio::test]
async fn a_deleted_or_damaged_secret_is_put_back_with_the_root_that_everyone_trusts() {
    let site = Site::new("damage").await;
    let start = site.cluster.audit().mark();
    let _port = site.open().await;
    let before = site.secret().await;
    site.secrets().delete("weir-ca", &DeleteParams::default()).await.expect("it works");
    let back = async || site.secrets().get_opt("weir-ca").await.expect("it works");
    eventually("the deleted Secret", PATIENCE, back).await;
    assert_eq!(site.secret().await, before);

    let damage = json!({"data": {"signing.key": ByteString(b"none".to_vec())}});
    let patch = Patch::Merge(&damage);
    site.secrets().patch("weir-ca", &PatchParams::default(), &patch).await.expect("it works");
    let whole = async || (site.secret().await == before).then_some(());
    eventually("the damaged Secret", PATIENCE, whole).await;
    assert_eq!(site.writes(start), ["create secrets", "create secrets", "update secrets"]);
}

/// Certificates that live for ten seconds, and a root that is always due.
fn hasty() -> Policy {
    Policy {
        leaf_lifetime: Duration::from_secs(10),
        ca_lifetime: Duration::from_hours(1),
        rotate_every: Duration::ZERO,
        settle: Duration::ZERO,
        clock_skew: Duration::ZERO,
    }
}

#[tokio::test]
async fn a_rotation_goes_on_under_a_new_leader_in_each_phase() {
    let site = Site::new("rotation").await;
    let start = Timestamp::now();
    let first = site.authority(hasty()).await.state().signer.root.certificate;
    let lead = async |step: Step, running: &[Running]| {
        // Each step has a leader of its own: the one before is gone with all that it knew.
        let leader = site.authority(hasty()).await;
        let fleet = Fleet { since: start, running };
        let took = async || leader.rotate(&fleet).await.expect("it works");
        assert_eq!(eventually(&format!("{step:?}"), PATIENCE, took).await, step);
        let next = site.authority(hasty()).await;
        (next.state(), next.bundle().borrow().clone())
    };

    let (state, both) = lead(Step::Publish, &[]).await;
    assert!(matches!(state.phase, Phase::Publishing { .. }) && both.pem.starts_with(&first));
    let old = Running { bundle: "another".to_owned(), ..Running::default() };
    let waiting = site.authority(hasty()).await;
    let fleet = Fleet { since: start, running: std::slice::from_ref(&old) };
    assert_eq!(waiting.rotate(&fleet).await.expect("it works"), None, "one does not trust the new root yet");

    let follower = Running { bundle: both.hash.clone(), ..Running::default() };
    let (state, still) = lead(Step::Sign, std::slice::from_ref(&follower)).await;
    assert_eq!((still, state.signer.root.certificate == first), (both, false));
    let (state, bundle) = lead(Step::Drop, std::slice::from_ref(&follower)).await;
    assert_eq!((bundle.pem, state.phase), (state.signer.root.certificate, Phase::Steady));
    assert!(!site.secret().await.contains_key("previous.crt"));
}

#[tokio::test]
async fn two_leaders_take_one_step() {
    let site = Site::new("leaders").await;
    let (one, two) = tokio::join!(site.authority(hasty()), site.authority(hasty()));
    let fleet = Fleet { since: Timestamp::now(), running: &[] };
    let (a, b) = tokio::join!(one.rotate(&fleet), two.rotate(&fleet));
    let steps: Vec<_> = [a.expect("it works"), b.expect("it works")].into_iter().flatten().collect();
    assert_eq!(steps, [Step::Publish], "the other one finds another resourceVersion");
    let (one, two) = (one.bundle(), two.bundle());
    let agree = async || {
        (*one.borrow() == *two.borrow() && one.borrow().pem.matches("BEGIN").count() == 2).then_some(())
    };
    eventually("both follow", PATIENCE, agree).await;
}
