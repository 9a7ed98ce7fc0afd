//! Builds `weir` again when the page's bundle changed: the compiler itself sees changed files, but not new ones.

fn main() {
    println!("cargo:rerun-if-changed=ui/dist");
}
