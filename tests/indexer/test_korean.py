"""Particles of Korean words."""

import pytest

from indexer.korean import strip_particles


@pytest.mark.parametrize(
    ("stem", "forms"),
    [
        ("학교", "학교에서는 학교에서도 학교에서 학교까지만 학교로부터 학교에는 학교의"),
        ("친구", "친구들과의 친구들에게는 친구와는 친구한테도 친구에게서는 친구랑은"),
        ("강아지", "강아지한테만 강아지들에게까지도 강아지가 강아지도 강아지처럼만"),
        ("서울", "서울까지는 서울에서부터의 서울로 서울에서만"),
        ("고양이", "고양이나 고양이라면 고양이라도 고양이가 고양이랑 고양이한테만 고양이들의 고양이"),
        ("바나나", "바나나 바나나는 바나나로만"),
        ("고속도로", "고속도로 고속도로에서 고속도로를"),
        ("비행기", "비행기에서만 비행기도 비행기와"),
        ("집", "집에서는 집에 집을 집까지도"),
        ("개", "개를 개한테는"),
        ("운동", "운동하는 운동과"),
        ("사람", "사람입니다 사람이에요 사람이라도 사람에게만이라도 사람인데 사람이라면"),
        ("공원", "공원에선 공원에선요 공원엔 공원으론 공원까진 공원부턴 공원이나 공원이며 공원이든 공원에서라도"),
        ("바다", "바다에선 바다엔 바다보단 바다까진 바다에서든지"),
        ("선생님", "선생님껜 선생님께선 선생님에겐 선생님한텐 선생님이란 선생님이라고"),
        ("친구", "친구끼리 친구들끼리만 친구에게선"),
        ("길", "길에선 길에서요"),
        ("카메라", "카메라는 카메라도 카메라예요 카메라입니다"),
    ],
)
def test_chains_of_particles_are_removed(stem: str, forms: str) -> None:
    assert {form: strip_particles(form) for form in forms.split()} == dict.fromkeys(forms.split(), stem)


NOUNS = """
바나나 아이 도로 가은 고양이 호랑이 원숭이 어린이 파도 포도 사과 결과 회의 마을 가을 노을 종이 국가 아들 제주도 태권도
코끼리 하이에나 우크라이나 차이나 오로라 우리나라 결론 이론 여론 드론 레몬 시선 생선 우선 신선 화산 수건 계단 이란
신라면 컵라면 하이라이트 시골마을 자전거도로 사진작가 오토바이 불꽃놀이 떡볶이 에서 는 들
"""


@pytest.mark.parametrize("noun", NOUNS.split())
def test_nouns_that_end_like_a_particle_stay(noun: str) -> None:
    assert strip_particles(noun) == noun
