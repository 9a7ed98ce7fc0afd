module weir/e2e/cluster/programs/pause

go 1.24.0
