module weir/e2e/cluster/programs/probe

go 1.24.0
