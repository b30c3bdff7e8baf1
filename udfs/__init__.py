"""The domain: event rules, KPI formulas, attribution. Pure functions that import nothing else of ours."""
