"""Words that English and Indonesian write with a capital and that are translated, not spelt by their sound."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# A sequence that holds one of these is the name of a thing that has its own name in other languages (the Reserve Bank).
WHOLE = _words("""
    monday tuesday wednesday thursday friday saturday sunday january february march april may june july august
    september october november december jan feb mar apr jun jul aug sep sept oct nov dec senin selasa rabu kamis jumat
    sabtu minggu januari februari maret mei juni juli agustus oktober desember christmas easter diwali eid ramadan
    india indian indians bharat hindustan indonesia indonesian indonesians nusantara english hindi bengali tamil telugu
    marathi gujarati kannada malayalam punjabi odia assamese urdu sanskrit javanese inggris china chinese japan japanese
    america american americans britain british germany german france french russia russian europe european asia asian
    africa african arab arabic greece greek rome roman egypt egyptian spain spanish portugal portuguese dutch holland
    netherlands england scotland ireland canada australia australian belanda jepang cina arab mesir inggris jerman
    perancis prancis amerika eropa asia afrika
    ministry minister ministers government department institute college court council committee commission board bank
    company corporation limited ltd pvt inc party union united state states republic national international central
    federal supreme high parliament assembly senate congress act constitution article section chapter figure table bill
    law code rule policy plan scheme mission programme program project report award prize cup league team club society
    association federation foundation trust agency authority service services system railway railways army navy air
    force police nations world organisation organization office centre center market exchange press times news
    department science sciences technology engineering research education health agriculture development finance home
    defence defense foreign external affairs labour energy power water environment forest culture tourism sports youth
    women children rural urban digital green white blue red black golden new old great north south east west northern
    southern eastern western middle day year century war revolution movement independence freedom renaissance age
    kementerian menteri pemerintah universitas institut sekolah rumah sakit negara republik dewan perwakilan rakyat
    badan lembaga partai undang pasal bab pancasila kampus timur barat utara selatan tengah besar baru
    hindu hindus muslim muslims christian christians buddhist sikh jain jewish islam islamic vedic gandhian marxist
    mathematics physics chemistry biology history geography internet email web ok yes no god bible quran veda vedas
""")

# These go with a name and are translated beside it (Prime Minister Nehru, the Bhakra Dam, Pak Hasan, Then Ravi).
BESIDE = _words("""
    mr mrs ms miss dr prof professor doctor sir madam lord lady saint st shri smt king queen prince princess emperor
    sultan maharaja president chairman chief prime minister secretary governor mayor general colonel captain major
    justice judge engineer teacher father mother uncle aunt brother sister pandit guru swami
    river lake mount mountain mountains hill hills valley island islands ocean sea bay gulf coast canal dam bridge fort
    palace temple church mosque park garden street road lane avenue highway city town village district province county
    station airport port university school hospital library museum university
    pak bapak bu ibu tuan nyonya mas mbak kyai haji presiden gubernur bupati jenderal raja sungai danau gunung bukit
    pulau laut teluk bendungan jembatan jalan kota desa kecamatan kabupaten provinsi stasiun bandara
    the a an i it he she we you they this that these those there then here his her its our your their my in on at of
    and or but for to from with by as if when while after before because so not all some many most each every both
    yang dan di ke dari untuk pada dengan ini itu ia dia mereka kami kita saya anda lalu ketika setelah sebelum
""")
