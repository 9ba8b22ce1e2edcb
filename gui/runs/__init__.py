"""The Runs page: the catalog's runs, compared, published, resumed, exported and deleted."""
