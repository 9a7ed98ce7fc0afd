//! The programs of a cluster, built from the Go modules in `e2e/cluster/programs` once, and kept outside the clone.
//!
//! Each folder there pins one module and, by `go.sum`, all that it is made of: helm, kwok, CoreDNS and Kubernetes
//! want different versions of what they share. What was built lies in
//! `${XDG_CACHE_HOME:-$HOME/.cache}/weir/programs/<module>-<hash>`, where the hash is over the module's files.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use xxhash_rust::xxh3::Xxh3Default;

const MODULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/cluster/programs");
const KUBERNETES_VERSION: &str = "v1.34.4";

/// A program: its name, the module folder that pins it, the package, and how long its first build takes.
#[derive(Debug)]
struct Recipe {
    name: &'static str,
    module: &'static str,
    package: &'static str,
    /// Whether it runs in an image with nothing else in it.
    alone: bool,
    first_build: &'static str,
}

/// In the order of building; kube-apiserver compiles most of what its siblings share.
const RECIPES: &[Recipe] = &[
    kubernetes("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver", "4 to 8 min"),
    kubernetes("kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager", "1 min"),
    kubernetes("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler", "10 s"),
    kubernetes("kubelet", "k8s.io/kubernetes/cmd/kubelet", "1 min"),
    kubernetes("kube-proxy", "k8s.io/kubernetes/cmd/kube-proxy", "10 s"),
    kubernetes("kubectl", "k8s.io/kubernetes/cmd/kubectl", "30 s"),
    Recipe {
        name: "helm",
        module: "helm",
        package: "helm.sh/helm/v3/cmd/helm",
        alone: false,
        first_build: "1 to 2 min",
    },
    Recipe {
        name: "kwok",
        module: "kwok",
        package: "sigs.k8s.io/kwok/cmd/kwok",
        alone: false,
        first_build: "1 to 2 min",
    },
    Recipe { name: "coredns", module: "coredns", package: ".", alone: true, first_build: "1 to 2 min" },
    Recipe { name: "health", module: "health", package: ".", alone: false, first_build: "20 s" },
    Recipe { name: "probe", module: "probe", package: ".", alone: true, first_build: "20 s" },
    Recipe { name: "pause", module: "pause", package: ".", alone: true, first_build: "a few seconds" },
];

const fn kubernetes(name: &'static str, package: &'static str, first_build: &'static str) -> Recipe {
    Recipe { name, module: "kubernetes", package, alone: false, first_build }
}

/// Where a program lies; it is built if it is not there yet.
///
/// # Panics
/// When it is none of the list, or cannot be built; the message holds what Go said.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let recipe = RECIPES.iter().find(|recipe| recipe.name == name);
    let recipe = recipe.unwrap_or_else(|| panic!("{name} is no program of the test cluster"));
    let folder =
        cache().join(format!("{}-{:016x}", recipe.module, hash(&Path::new(MODULES).join(recipe.module))));
    let path = folder.join(name);
    if !path.is_file() {
        fs::create_dir_all(&folder)
            .unwrap_or_else(|error| panic!("cannot make {}: {error}", folder.display()));
        // Another test may be building it.
        let lock = File::create(folder.join("lock")).expect("the cache is writable");
        lock.lock().expect("a file can be locked");
        if !path.is_file() {
            build(recipe, &path);
        }
    }
    path
}

/// Builds all of them that are missing.
///
/// # Panics
/// As [`program`].
pub fn build_all() {
    for recipe in RECIPES {
        let _ = program(recipe.name);
    }
}

fn build(recipe: &Recipe, path: &Path) {
    say(&format!("building {}, about {} the first time ...", recipe.name, recipe.first_build));
    let start = Instant::now();
    let unfinished = path.with_extension("unfinished");
    let mut go = Command::new("go");
    go.args(["build", "-trimpath", "-ldflags", &linker_flags(recipe.module), "-o"]).arg(&unfinished);
    go.arg(recipe.package).current_dir(Path::new(MODULES).join(recipe.module));
    if recipe.alone {
        go.env("CGO_ENABLED", "0");
    }
    let output = go.output();
    let output = output
        .unwrap_or_else(|error| panic!("cannot start go ({error}): install Go 1.26 (https://go.dev/dl)"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{} cannot be built:\n{said}", recipe.name);
    fs::rename(&unfinished, path).expect("the cache is writable");
    say(&format!("built {} in {:.0?}", recipe.name, start.elapsed()));
}

/// Without a version, Kubernetes' programs call themselves v0.0.0, and clients believe it.
fn linker_flags(module: &str) -> String {
    let mut flags = String::from("-s -w");
    if module == "kubernetes" {
        let package = "k8s.io/component-base/version";
        flags += &format!(" -X {package}.gitVersion={KUBERNETES_VERSION}");
        flags += &format!(" -X {package}.gitMajor=1 -X {package}.gitMinor=34");
    }
    flags
}

fn cache() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").expect("HOME is set")).join(".cache");
    let base = std::env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from);
    base.join("weir/programs")
}

/// Of all files of a module's folder.
fn hash(module: &Path) -> u64 {
    let entries = fs::read_dir(module).expect("the module is in the repository");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("a folder can be listed").path()).collect();
    files.sort();
    let mut hash = Xxh3Default::new();
    for file in files {
        hash.update(&fs::read(file).expect("the module is readable"));
    }
    hash.update(KUBERNETES_VERSION.as_bytes());
    hash.digest()
}

/// Past the test's capture: who waits four minutes wants to know what for.
fn say(line: &str) {
    // Nobody may be listening.
    let _ = writeln!(io::stderr(), "{line}");
}
