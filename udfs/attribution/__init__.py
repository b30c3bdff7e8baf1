"""Attribution: which touchpoints a conversion's value is credited to, by model."""
