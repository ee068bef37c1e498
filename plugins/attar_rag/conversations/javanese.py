"""Everyday Indonesian words as a Javanese speaker mixes them in (ngoko, with some krama), put together for attar."""

from __future__ import annotations

from collections.abc import Mapping

_PAIRS = """
apa=opo siapa=sopo kapan=kapan bagaimana=piye gimana=piye mengapa=ngopo kenapa=ngopo berapa=piro mana=endi di=neng
tidak=ora nggak=ora enggak=ora belum=durung sudah=wis udah=wis ada=ono bukan=dudu jangan=ojo mau=arep ingin=pengin
bisa=iso boleh=oleh harus=kudu saya=aku kamu=kowe dia=deweke kita=awake-dewe ini=iki itu=kuwi begitu=ngono begini=ngene
anak=anak orang=wong rumah=omah uang=duit besar=gedhe kecil=cilik banyak=akeh sedikit=sithik murah=murah mahal=larang
bayar=mbayar membayar=mbayar beli=tuku membeli=tuku datang=teko pulang=mulih pergi=lungo masuk=mlebu keluar=metu
tanya=takon bertanya=takon bilang=ngomong katanya=jarene lihat=ndelok melihat=ndelok dengar=krungu tahu=ngerti
tinggal=manggon makan=mangan minum=ngombe tidur=turu kerja=nyambut-gawe belajar=sinau sekolah=sekolah sakit=lara
jauh=adoh dekat=cedhak cepat=cepet lama=suwe sekarang=saiki besok=sesuk kemarin=wingi nanti=mengko tadi=mau
dengan=karo untuk=nggo seperti=koyo kalau=yen tapi=ning tetapi=ning juga=ugo saja=wae sama=podo semua=kabeh hanya=mung
lagi=maneh dulu=disik terus=terus baru=anyar lewat=liwat takut=wedi senang=seneng susah=angel mudah=gampang butuh=butuh
ambil=jupuk mengambil=njupuk kasih=wenehi dapat=entuk mendapat=entuk cari=golek mencari=golek bawa=gowo membawa=nggowo
bapak=bapak ibu=ibu kakak=mbakyu adik=adhi terima=tompo kasihan=mesakke aman=aman benar=bener salah=salah
"""

JAVANESE: Mapping[str, str] = {
    one: other.replace("-", " ")
    for one, _, other in (pair.partition("=") for pair in _PAIRS.split())
    if one != other.replace("-", " ")
}
"""Indonesian word in lower case → the Javanese one."""
