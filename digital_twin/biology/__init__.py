"""What the proteins of the twin really are: measured data, loaded from the packages that carry them."""

from digital_twin.biology.protein_g import (
    GB1_WILD_TYPE,
    ProteinGVariant,
    fc_dissociation_constant_umol_l,
    load_protein_g_stability,
    load_protein_g_variants,
    parse_substitution,
    residual_after_challenge,
)

__all__ = [
    "GB1_WILD_TYPE",
    "ProteinGVariant",
    "fc_dissociation_constant_umol_l",
    "load_protein_g_stability",
    "load_protein_g_variants",
    "parse_substitution",
    "residual_after_challenge",
]
