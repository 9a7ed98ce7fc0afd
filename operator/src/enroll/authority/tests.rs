//! An authority whose API server is away: what it holds must go on working.

use super::*;

/// Holds a fresh root, and finds nobody at the API server's address.
pub(in super::super) fn alone() -> (Authority, Client) {
    // Port 9 (discard) of the loopback: nobody listens.
    let uri = "http://127.0.0.1:9".parse().unwrap();
    let client = Client::try_from(kube::Config::new(uri)).unwrap();
    let secrets = Secrets {
        api: Api::namespaced(client.clone(), "weir-system"),
        namespace: "weir-system".to_owned(),
        name: SECRET.to_owned(),
    };
    let policy = Policy::default();
    let state = State::new(fresh_root(&policy, Timestamp::now()).unwrap());
    let held = Held { state, version: "1".to_owned() };
    let names = service_names(SERVICE, "weir-system");
    (Authority::hold(secrets, held, names, policy).unwrap(), client)
}

#[tokio::test]
async fn nothing_is_signed_while_the_secret_cannot_be_read() {
    let (authority, _) = alone();
    let key = rcgen::KeyPair::generate().unwrap();
    let signed = authority.sign(&key, &Identity::Operator, &[]).await;
    assert!(matches!(signed, Err(AuthorityError::Api { .. })), "{signed:?}");
}

#[tokio::test]
async fn the_operators_certificate_is_made_anew_at_a_third_and_when_the_roots_change() {
    let (authority, _) = alone();
    let now = Timestamp::now();
    let renewals = || authority.own(|own| own.renew_at);
    let first = renewals();
    authority.renew(now);
    assert_eq!(renewals(), first, "nothing to do yet");

    let third = now + authority.inner.policy.leaf_lifetime / 3;
    authority.renew(third);
    let second = renewals();
    assert!(second > first);

    let policy = authority.inner.policy.clone();
    let state = authority.state().after(Step::Publish, &policy, now, || fresh_root(&policy, now)).unwrap();
    let secret = authority.inner.secrets.object(&state, Some("2".to_owned()));
    let roots = authority.bundle();
    authority.take_over(secret).await;
    assert!(roots.has_changed().unwrap() && *roots.borrow() == state.bundle());
    assert!(renewals() < second, "made anew as of now, for the new roots");
}
