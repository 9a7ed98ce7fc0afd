//! The cgroups under which a node's kubelet puts its pods.

use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = "/sys/fs/cgroup";

/// Makes the folder `name` in every hierarchy of version 1, or in the one of version 2. The guard removes it.
///
/// # Panics
/// When the machine's cgroups are not writable, as in an unprivileged container.
pub(crate) fn create(name: &str) {
    let controllers = Path::new(ROOT).join("cgroup.controllers");
    if let Ok(controllers) = fs::read_to_string(&controllers) {
        let all: Vec<_> = controllers.split_whitespace().map(|name| format!("+{name}")).collect();
        write(&Path::new(ROOT).join("cgroup.subtree_control"), &all.join(" "));
        make(&Path::new(ROOT).join(name));
    } else {
        hierarchies().iter().for_each(|hierarchy| create_in(hierarchy, name));
    }
}

fn create_in(hierarchy: &Path, name: &str) {
    let group = hierarchy.join(name);
    make(&group);
    // A new group of version 1 may use no processor until it is told which.
    for file in ["cpuset.cpus", "cpuset.mems"] {
        if let Ok(value) = fs::read_to_string(hierarchy.join(file)) {
            write(&group.join(file), &value);
        }
    }
}

/// The hierarchies of version 1; `cpu,cpuacct` is also there as two links.
fn hierarchies() -> Vec<PathBuf> {
    let folders = fs::read_dir(ROOT).expect("cgroups are mounted").flatten();
    let own = folders.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    own.map(|entry| entry.path()).filter(|path| !path.join("cgroup.controllers").exists()).collect()
}

fn make(group: &Path) {
    fs::create_dir_all(group).unwrap_or_else(|error| panic!("cannot make {}: {error}", group.display()));
}

fn write(file: &Path, value: &str) {
    fs::write(file, value).unwrap_or_else(|error| panic!("cannot write {}: {error}", file.display()));
}
