//! Real exporters see real traffic and tell a running Weir of it: its counts are what was sent, and what nfcapd
//! makes of the same stream.

#[path = "exporters/place.rs"]
mod place;

#[path = "exporters/nfreplay.rs"]
mod nfreplay;
#[path = "exporters/openvswitch.rs"]
mod openvswitch;
#[path = "exporters/pmacctd.rs"]
mod pmacctd;
#[path = "exporters/softflowd.rs"]
mod softflowd;
