//! A control plane: etcd, kube-apiserver, kube-controller-manager and kube-scheduler, without nodes.

use std::fs;
use std::io::Write;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, PostParams};
use kube::config::AuthInfo;
use kube::{Client, Config};

use super::address::Slot;
use super::audit::{self, AuditLog};
use super::authority::{Authority, Identity};
use super::guard::Guard;
use super::programs::program;
use super::{kubeconfig, runtime};
use crate::deadline::{eventually, wait_for};
use crate::program::{Program, output_of};

const API_PORT: u16 = 16443;
const ETCD_PORT: u16 = 12379;
/// Machines that build several things at once start programs slowly.
const PATIENCE: Duration = Duration::from_secs(90);

/// After how long a silent node is lost; the second is Kubernetes' default.
pub(crate) const SOON: &str = "8s";
const LATE: &str = "50s";

static NAMESPACES: AtomicU32 = AtomicU32::new(0);

/// A running control plane. Dropping it takes it down; so does the end of the process, however it comes.
#[derive(Debug)]
pub struct ControlPlane {
    // In this order they end.
    scheduler: Program,
    controllers: Program,
    api: Program,
    etcd: Program,
    address: Ipv4Addr,
    authority: Authority,
    guard: Guard,
}

impl ControlPlane {
    /// Starts one on loopback and waits until objects can be created. Needs no root.
    ///
    /// # Panics
    /// When a program is missing or does not come up; the message holds what it printed.
    #[must_use]
    pub fn start() -> Self {
        Self::on_loopback(SOON)
    }

    /// As [`Self::start`], for a thousand simulated nodes: they report less often, and are given more time to.
    ///
    /// # Panics
    /// As [`Self::start`].
    #[must_use]
    pub fn start_large() -> Self {
        Self::on_loopback(LATE)
    }

    fn on_loopback(lost_after: &str) -> Self {
        let guard = Guard::hold();
        let address = guard.slot().loopback();
        Self::start_on(guard, address, lost_after)
    }

    /// The one control plane of this process, started at the first call; it ends with the process.
    #[must_use]
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<ControlPlane> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// Starts it with the API server on `address`; a silent node is lost after `lost_after`.
    pub(crate) fn start_on(guard: Guard, address: Ipv4Addr, lost_after: &str) -> Self {
        let authority = Authority::create(&guard.folder().join("pki"));
        let setup = Setup { guard: &guard, authority: &authority, address, lost_after };
        let etcd = setup.etcd();
        let api = setup.api_server();
        let controllers = setup.controller_manager();
        let scheduler = setup.scheduler();
        let mut plane = Self { scheduler, controllers, api, etcd, address, authority, guard };
        plane.wait_until_ready();
        plane
    }

    /// The kubeconfig of the cluster's administrator.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder().join("kubeconfig")
    }

    /// Where the cluster's state and its programs' logs lie: `kube-apiserver.log`, ...
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.guard.folder()
    }

    /// Its number on this machine, from which its addresses follow.
    #[must_use]
    pub fn slot(&self) -> Slot {
        self.guard.slot()
    }

    /// Every request that the API server has answered.
    #[must_use]
    pub fn audit(&self) -> AuditLog {
        AuditLog::of(self.folder())
    }

    /// What an administrator's client needs, for those who change something first.
    pub async fn config(&self) -> Config {
        kubeconfig::config(&self.kubeconfig()).await
    }

    /// A client that may do everything. It lives as long as the calling test's runtime.
    pub async fn client(&self) -> Client {
        kubeconfig::client(self.config().await)
    }

    /// A client with the rights of a service account, which must exist; its token is good for an hour.
    ///
    /// # Panics
    /// When there is no such service account.
    pub async fn client_as(&self, namespace: &str, service_account: &str) -> Client {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client().await, namespace);
        let request = TokenRequest {
            spec: Some(TokenRequestSpec { expiration_seconds: Some(3600), ..Default::default() }),
            ..Default::default()
        };
        let answer = accounts.create_token_request(service_account, &PostParams::default(), &request).await;
        let answer = answer.unwrap_or_else(|error| panic!("{namespace}/{service_account}: {error}"));
        let token = answer.status.expect("an answered request has a token").token;
        let token = token.expect("an issued token is not empty");
        let mut config = self.config().await;
        config.auth_info = AuthInfo { token: Some(token.into()), ..AuthInfo::default() };
        kubeconfig::client(config)
    }

    /// A new namespace, ready for pods; its name is `label` and a number. One a test keeps tests apart.
    ///
    /// # Panics
    /// When the API server refuses.
    pub async fn namespace(&self, label: &str) -> String {
        let client = self.client().await;
        let name = format!("{label}-{}", NAMESPACES.fetch_add(1, Ordering::Relaxed));
        let metadata = ObjectMeta { name: Some(name.clone()), ..Default::default() };
        let namespace = Namespace { metadata, ..Default::default() };
        let namespaces: Api<Namespace> = Api::all(client.clone());
        namespaces.create(&PostParams::default(), &namespace).await.expect("a new namespace is accepted");
        wait_for_default_account(&client, &name).await;
        name
    }

    /// Runs the cluster's own kubectl as administrator and gives what it prints.
    ///
    /// # Panics
    /// When it fails.
    #[must_use]
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        output_of(self.kubectl_command(arguments))
    }

    /// As [`Self::kubectl`], for those who expect it to fail, feed it, or run it in the background.
    #[must_use]
    pub fn kubectl_command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program("kubectl"));
        command.arg("--kubeconfig").arg(self.kubeconfig()).args(arguments);
        command
    }

    /// Lets it outlive this process, until [`super::take_down_kept`].
    pub fn keep(self) {
        let Self { scheduler, controllers, api, etcd, guard, .. } = self;
        // Their destructors would end them.
        [scheduler, controllers, api, etcd].into_iter().for_each(std::mem::forget);
        guard.keep();
    }

    /// Applies YAML documents as administrator, taking over what others set.
    ///
    /// # Panics
    /// When the API server refuses one.
    pub fn apply(&self, yaml: &str) {
        self.apply_with(&[], yaml);
    }

    /// As [`Self::apply`], into a namespace.
    ///
    /// # Panics
    /// When the API server refuses one, or it names another namespace.
    pub fn apply_to(&self, namespace: &str, yaml: &str) {
        self.apply_with(&["--namespace", namespace], yaml);
    }

    fn apply_with(&self, arguments: &[&str], yaml: &str) {
        let mut file = tempfile::NamedTempFile::new().expect("the folder for temporary files is writable");
        file.write_all(yaml.as_bytes()).expect("the folder for temporary files is writable");
        let mut command = self.kubectl_command(&["apply", "--server-side", "--force-conflicts"]);
        command.args(arguments).arg("--filename").arg(file.path());
        output_of(command);
    }

    pub(crate) fn guard(&self) -> &Guard {
        &self.guard
    }

    /// Writes a kubeconfig for `user`, in `group`.
    pub(crate) fn identify(&self, path: &Path, user: &str, group: Option<&str>) {
        identify(&self.authority, self.address, path, user, group);
    }

    fn wait_until_ready(&mut self) {
        let path = self.kubeconfig();
        let log = self.folder().join("kube-apiserver.log");
        let explain = || fs::read_to_string(log).unwrap_or_default();
        wait_for("the API server", PATIENCE, explain, || {
            for program in [&mut self.etcd, &mut self.api, &mut self.controllers, &mut self.scheduler] {
                program.assert_running();
            }
            runtime::block(async || is_ready(&path).await).then_some(())
        });
        runtime::block(async || {
            wait_for_default_account(&self.client().await, "default").await;
        });
    }
}

async fn is_ready(path: &Path) -> bool {
    let client = kubeconfig::client(kubeconfig::config(path).await);
    let request = hyper::Request::get("/readyz").body(Vec::new()).expect("a path");
    client.request_text(request).await.is_ok()
}

/// Pods cannot be created before.
async fn wait_for_default_account(client: &Client, namespace: &str) {
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
    let what = format!("the default service account of {namespace}");
    eventually(&what, PATIENCE, async || accounts.get_opt("default").await.ok().flatten()).await;
}

/// What the programs are started from.
struct Setup<'a> {
    guard: &'a Guard,
    authority: &'a Authority,
    address: Ipv4Addr,
    lost_after: &'a str,
}

impl Setup<'_> {
    fn etcd(&self) -> Program {
        let folder = self.guard.folder();
        let url = self.etcd_url();
        let peers = format!("http://{}:{}", self.guard.slot().loopback(), ETCD_PORT + 1);
        let mut command = self.guard.command("etcd");
        command.arg("--data-dir").arg(folder.join("etcd"));
        // What a power cut would lose is of no use to a test.
        command.arg("--unsafe-no-fsync");
        command.args(["--listen-client-urls", &url, "--advertise-client-urls", &url]);
        command.args(["--listen-peer-urls", &peers, "--initial-advertise-peer-urls", &peers]);
        command.args(["--initial-cluster", &format!("default={peers}")]);
        Program::start("etcd", folder, command)
    }

    fn api_server(&self) -> Program {
        let folder = self.guard.folder();
        let slot = self.guard.slot();
        let policy = folder.join("audit-policy.yaml");
        fs::write(&policy, audit::POLICY).expect("the cluster's folder is writable");
        let names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost"];
        let server = self.authority.server("kube-apiserver", &names, &[self.address, slot.service(1)]);
        let kubelets = self.authority.client("kubelet-client", "kube-apiserver", Some("system:masters"));
        let mut command = self.guard.command(program("kube-apiserver"));
        command.arg(format!("--etcd-servers={}", self.etcd_url()));
        command.arg(format!("--bind-address={0}", self.address));
        command.arg(format!("--advertise-address={0}", self.address));
        command.arg(format!("--secure-port={API_PORT}"));
        command.arg(format!("--service-cluster-ip-range={}/24", slot.service(0)));
        command.args(API_SERVER_FLAGS);
        if self.address.is_loopback() {
            // A Service's endpoint may not be a loopback address.
            command.arg("--endpoint-reconciler-type=none");
        }
        flag(&mut command, "client-ca-file", &self.authority.certificate());
        identity_flags(&mut command, "tls-cert-file", "tls-private-key-file", &server);
        identity_flags(&mut command, "kubelet-client-certificate", "kubelet-client-key", &kubelets);
        let tokens = self.authority.tokens();
        identity_flags(&mut command, "service-account-key-file", "service-account-signing-key-file", &tokens);
        flag(&mut command, "audit-policy-file", &policy);
        flag(&mut command, "audit-log-path", AuditLog::of(folder).path());
        flag(&mut command, "cert-dir", &folder.join("pki"));
        Program::start("kube-apiserver", folder, command)
    }

    fn controller_manager(&self) -> Program {
        self.kubeconfig("kubeconfig", "weir-test-admin", Some("system:masters"));
        let folder = self.guard.folder();
        let user = "system:kube-controller-manager";
        let config = self.kubeconfig("kube-controller-manager.kubeconfig", user, None);
        let mut command = self.guard.command(program("kube-controller-manager"));
        command.args(CONTROLLER_MANAGER_FLAGS);
        command.arg(format!("--node-monitor-grace-period={}", self.lost_after));
        flag(&mut command, "kubeconfig", &config);
        flag(&mut command, "root-ca-file", &self.authority.certificate());
        flag(&mut command, "service-account-private-key-file", &folder.join("pki/service-accounts.key"));
        Program::start("kube-controller-manager", folder, command)
    }

    fn scheduler(&self) -> Program {
        let config = self.kubeconfig("kube-scheduler.kubeconfig", "system:kube-scheduler", None);
        let mut command = self.guard.command(program("kube-scheduler"));
        command.args(["--leader-elect=false", "--secure-port=0"]);
        flag(&mut command, "kubeconfig", &config);
        Program::start("kube-scheduler", self.guard.folder(), command)
    }

    fn kubeconfig(&self, file: &str, user: &str, group: Option<&str>) -> PathBuf {
        let path = self.guard.folder().join(file);
        identify(self.authority, self.address, &path, user, group);
        path
    }

    fn etcd_url(&self) -> String {
        format!("http://{}:{ETCD_PORT}", self.guard.slot().loopback())
    }
}

/// The API server's flags that are the same for every cluster.
const API_SERVER_FLAGS: &[&str] = &[
    "--authorization-mode=Node,RBAC",
    "--allow-privileged=true",
    // Beside the default ones, PodSecurity among them; the last is what OpenShift turns on.
    "--enable-admission-plugins=NodeRestriction,OwnerReferencesPermissionEnforcement",
    "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
    // A node's name does not resolve.
    "--kubelet-preferred-address-types=InternalIP",
    // A pod leaves a lost node after seconds; the default is five minutes.
    "--default-not-ready-toleration-seconds=5",
    "--default-unreachable-toleration-seconds=5",
    "--profiling=false",
];

const CONTROLLER_MANAGER_FLAGS: &[&str] = &[
    "--use-service-account-credentials",
    "--leader-elect=false",
    "--secure-port=0",
    "--node-monitor-period=1s",
    "--profiling=false",
];

fn api_url(address: Ipv4Addr) -> String {
    format!("https://{address}:{API_PORT}")
}

fn identify(authority: &Authority, api: Ipv4Addr, path: &Path, user: &str, group: Option<&str>) {
    let name = path.file_name().expect("a file has a name").to_string_lossy();
    // The users of different nodes' files differ, the files' names do not.
    let identity = authority.client(&format!("{name}-{}", user.replace(':', "-")), user, group);
    kubeconfig::write(path, &api_url(api), &authority.certificate(), &identity);
}

fn flag(command: &mut Command, name: &str, value: &Path) {
    command.arg(format!("--{name}={}", value.display()));
}

fn identity_flags(command: &mut Command, certificate: &str, key: &str, identity: &Identity) {
    flag(command, certificate, &identity.certificate);
    flag(command, key, &identity.key);
}
