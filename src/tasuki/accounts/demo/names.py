"""Names of people who do not exist, for demo data.

Written as the people would write them, with the Latin letters of their username. The domains
are reserved for examples (RFC 2606; JPRS for ``.jp``), so no mail ever reaches anybody.
"""

from dataclasses import dataclass

JAPANESE_FAMILY = (
    ("佐藤", "sato"), ("鈴木", "suzuki"), ("高橋", "takahashi"), ("田中", "tanaka"),
    ("伊藤", "ito"), ("渡辺", "watanabe"), ("山本", "yamamoto"), ("中村", "nakamura"),
    ("小林", "kobayashi"), ("加藤", "kato"), ("吉田", "yoshida"), ("山田", "yamada"),
    ("佐々木", "sasaki"), ("山口", "yamaguchi"), ("松本", "matsumoto"), ("井上", "inoue"),
    ("木村", "kimura"), ("林", "hayashi"), ("斎藤", "saito"), ("清水", "shimizu"),
    ("山崎", "yamazaki"), ("森", "mori"), ("池田", "ikeda"), ("橋本", "hashimoto"),
    ("阿部", "abe"), ("石川", "ishikawa"), ("山下", "yamashita"), ("中島", "nakajima"),
    ("石井", "ishii"), ("小川", "ogawa"), ("前田", "maeda"), ("岡田", "okada"),
    ("長谷川", "hasegawa"), ("藤田", "fujita"), ("後藤", "goto"), ("近藤", "kondo"),
    ("村上", "murakami"), ("遠藤", "endo"), ("青木", "aoki"), ("坂本", "sakamoto"),
)  # fmt: skip
JAPANESE_GIVEN = (
    ("陽菜", "hina"), ("結衣", "yui"), ("葵", "aoi"), ("美咲", "misaki"),
    ("さくら", "sakura"), ("花子", "hanako"), ("恵子", "keiko"), ("由美子", "yumiko"),
    ("真由美", "mayumi"), ("愛", "ai"), ("千尋", "chihiro"), ("舞", "mai"),
    ("香織", "kaori"), ("直子", "naoko"), ("優子", "yuko"), ("彩", "aya"),
    ("蓮", "ren"), ("湊", "minato"), ("大翔", "hiroto"), ("陽翔", "haruto"),
    ("悠真", "yuma"), ("翔太", "shota"), ("健太", "kenta"), ("大輔", "daisuke"),
    ("拓也", "takuya"), ("直樹", "naoki"), ("浩", "hiroshi"), ("誠", "makoto"),
    ("健一", "kenichi"), ("学", "manabu"), ("徹", "toru"), ("亮", "ryo"),
)  # fmt: skip
LATIN_FAMILY = (
    ("Martin", "martin"), ("García", "garcia"), ("Müller", "mueller"), ("Rossi", "rossi"),
    ("Silva", "silva"), ("Johansson", "johansson"), ("Hansen", "hansen"), ("Novák", "novak"),
    ("Kowalska", "kowalska"), ("Smith", "smith"), ("O’Brien", "obrien"), ("Dubois", "dubois"),
    ("López", "lopez"), ("Schneider", "schneider"), ("Bianchi", "bianchi"),
    ("Santos", "santos"), ("Lindqvist", "lindqvist"), ("Nielsen", "nielsen"),
    ("Horváth", "horvath"), ("Virtanen", "virtanen"), ("de Vries", "devries"),
    ("Peeters", "peeters"), ("Moreau", "moreau"), ("Fernández", "fernandez"),
    ("Weber", "weber"), ("Ricci", "ricci"), ("Costa", "costa"), ("Berg", "berg"),
    ("Taylor", "taylor"), ("Walker", "walker"), ("Okafor", "okafor"), ("Nguyen", "nguyen"),
    ("Yılmaz", "yilmaz"), ("Popescu", "popescu"), ("Ozols", "ozols"), ("Murphy", "murphy"),
    ("Laurent", "laurent"), ("Keller", "keller"), ("Almeida", "almeida"), ("Evans", "evans"),
)  # fmt: skip
LATIN_GIVEN = (
    ("Anna", "anna"), ("Sofía", "sofia"), ("Zoë", "zoe"), ("Chloé", "chloe"),
    ("Ingrid", "ingrid"), ("Katarzyna", "katarzyna"), ("Giulia", "giulia"),
    ("Beatriz", "beatriz"), ("Emma", "emma"), ("Aisha", "aisha"), ("Elif", "elif"),
    ("Françoise", "francoise"), ("Maeve", "maeve"), ("Linh", "linh"), ("Olivia", "olivia"),
    ("Ilse", "ilse"), ("Lukas", "lukas"), ("Mateo", "mateo"), ("João", "joao"),
    ("Søren", "soeren"), ("Björn", "bjoern"), ("Tomáš", "tomas"), ("Luca", "luca"),
    ("Noah", "noah"), ("Liam", "liam"), ("Chidi", "chidi"), ("Emre", "emre"),
    ("Andrei", "andrei"), ("Janis", "janis"), ("Pierre", "pierre"), ("Oliver", "oliver"),
    ("Jan", "jan"),
)  # fmt: skip

JAPANESE_DOMAINS = ("example.jp", "example.co.jp", "example.ne.jp")
LATIN_DOMAINS = ("example.org", "example.com", "example.net")


@dataclass(frozen=True, slots=True)
class Culture:
    """Names that go together, how they are put in order, and where their bearers live."""

    family: tuple[tuple[str, str], ...]
    given: tuple[tuple[str, str], ...]
    family_first: bool
    domains: tuple[str, ...]
    timezones: tuple[str, ...]


CULTURES = (
    Culture(JAPANESE_FAMILY, JAPANESE_GIVEN, True, JAPANESE_DOMAINS, ("Asia/Tokyo",)),
    Culture(
        LATIN_FAMILY,
        LATIN_GIVEN,
        False,
        LATIN_DOMAINS,
        ("Europe/Berlin", "Europe/Paris", "Europe/Madrid", "Europe/London", "America/New_York"),
    ),
)
